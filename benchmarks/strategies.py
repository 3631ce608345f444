"""Does DiffAdapt save tokens at equal accuracy? Each strategy for all problems, its choice by a probe, and an oracle.

    python -m benchmarks.strategies --out docs/results/strategies/record.json      8 minutes of a processor

Embedded addition of two numbers of 2 to 6 digits, where answers differ in length and difficulty. The model knows no
sentence, so strategies are a temperature and a share of the token limit alone. Beside the three, the normal one at the
hard one's temperature: what is temperature and what is room. DiffAdapt's choice beside a draw of lots with the same
shares, and beside an oracle that takes for each problem the strategy that was right most often on half of its samples
(of equals the one of fewer tokens), scored on the other half.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.record import Record, Row, group, number, numbers, text
from benchmarks.harness.settings import Settings, option
from tvo_cli.stats import mean_interval

STRATEGIES = ("easy", "normal", "hard")
BARE = ("protocol.suffix=", "protocol.adapt.easy.suffix=", "protocol.adapt.hard.suffix=")
ARMS: Mapping[str, tuple[str, ...]] = {
    **{name: (f"protocol=diffadapt_{name}", BARE[0]) for name in STRATEGIES},
    "normal, colder": ("protocol=diffadapt_normal", BARE[0], "protocol.decoding.temperature=0.4"),
    "diffadapt": ("protocol=diffadapt", *BARE),
    "diffadapt, hard below 0.3": ("protocol=diffadapt", *BARE, "protocol.adapt.hard_accuracy=0.3"),
}
TABLES = {
    "evaluations": {
        "limit": number("most tokens of a response, of which strategies have a share", "tokens"),
        "seed": number("of problems, samples and probe", "1"),
        "arm": text("how every problem is answered"),
        "first": numbers("each problem: share of right answers among the first half of its samples", "share"),
        "second": numbers("the same of the other half", "share"),
        "tokens": numbers("each problem: mean tokens of a response", "tokens"),
        "shares": numbers("easy, normal, hard: share of problems with this strategy", "share"),
        "extra": number("tokens that labels and the probe took, prompts included", "tokens"),
        "held_out": number("labels that the probe did not learn, and names rightly; null without a probe", "share"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    limits: tuple[int, ...] = option((22, 30), "token limits of the task")
    seeds: tuple[int, ...] = option((0, 1, 2), "of problems, samples and probe")
    problems: int = option(256, "problems that are asked", gt=1)
    labelled: int = option(256, "training problems that are labelled for a probe", gt=4)
    folder: Path = option(FOLDER / "strategies", "where the evaluations lie", of_start=True)


QUICK = {"limits": (22,), "seeds": (0,), "problems": 4, "labelled": 10}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """A limit and seed whole before the next one."""
    for limit in settings.limits:
        for seed in settings.seeds:
            for arm in ARMS:
                key = {"limit": limit, "seed": seed, "arm": arm}
                yield Measurement("evaluations", key, partial(_evaluated, settings, limit, seed, arm))


def _evaluated(settings: Chosen, limit: int, seed: int, arm: str) -> Row:
    suite = "evaluation.suites.addition"
    sizes = (settings.problems, settings.labelled)
    folder = settings.folder / "-".join(map(str, (limit, seed, *sizes, arm.replace(" ", "").replace(",", "-"))))
    words = [*ARMS[arm], f"evaluation.seed={seed}", f"{suite}.problems={settings.problems}"]
    words += [f"{suite}.dataset.max_tokens={limit}", f"{suite}.decoding.greedy=false"]
    words += [f"protocol.adapt.problems={settings.labelled}"] if "diffadapt" in arm else []
    words += ["evaluation=addition", "model=tiny_addition", f"output_dir={folder}"]
    _evaluate(words)
    lines = (folder / "responses.jsonl").read_text(encoding="utf-8").splitlines()
    return of_responses([json.loads(line) for line in lines], arm) | _costs(folder)


def _evaluate(words: Sequence[str]) -> None:
    """`tvo eval` in this process, which has loaded everything once; nothing where the folder has it."""
    import torch

    from tvo_cli import config
    from tvo_cli.experiment import evaluate

    torch.set_num_threads(1)
    evaluate(config.compose(words, "eval"), lambda _: None)


def of_responses(rows: Sequence[Row], arm: str) -> Row:
    """Right answers and tokens by problem, and which strategies they had."""
    problems = [sorted(own, key=lambda row: int(row["sample"])) for own in group(rows, "id").values()]
    names = [own[0]["strategy"]["name"] if own[0].get("strategy") else arm.split(",")[0] for own in problems]
    half = len(problems[0]) // 2
    return {
        "first": [fmean(row["correct"] for row in own[:half]) for own in problems],
        "second": [fmean(row["correct"] for row in own[half:]) for own in problems],
        "tokens": [fmean(row["tokens"] for row in own) for own in problems],
        "shares": [names.count(name) / len(names) for name in STRATEGIES],
    }


def _costs(folder: Path) -> Row:
    found = folder / "probe.json"
    if not found.is_file():
        return {"extra": 0, "held_out": None}
    probe = json.loads(found.read_text(encoding="utf-8"))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["suites"]["addition"]
    read = summary["probe"]["probe_tokens"]
    extra = probe["label_tokens"] + probe["label_prompt_tokens"] + read
    return {"extra": extra, "held_out": probe["held_out_right"] / probe["held_out"]}


def table(record: Record) -> str:
    """For each limit its arms beside the normal strategy for all, paired by problem over all seeds."""
    limits = group(record.rows("evaluations"), "limit").items()
    return "\n\n".join(f"### {limit:g} tokens\n\n{_of_limit(found)}" for (limit,), found in limits)


def _of_limit(rows: Sequence[Row]) -> str:
    arms = {arm: [_outcome(row) for row in found] for (arm,), found in group(rows, "arm").items()}
    by_arm = {arm: found for (arm,), found in group(rows, "arm").items()}
    if not by_arm.keys() >= set(STRATEGIES):
        return "not all strategies are evaluated yet"
    fixed = {name: by_arm[name] for name in STRATEGIES}
    for arm in [arm for arm in arms if arm.startswith("diffadapt")]:
        arms[f"lots with the shares of {arm}"] = [_lots(fixed, i, row["shares"]) for i, row in enumerate(by_arm[arm])]
    arms["oracle"] = [_oracle([fixed[name][i] for name in STRATEGIES]) for i in range(len(by_arm["normal"]))]
    lines = [[arm, *_cells(found, arms["normal"]), *_choice(by_arm.get(arm, []))] for arm, found in arms.items()]
    head = ["arm", "right", "tokens", "right, less normal [95%]", "tokens, less normal [95%]", "tokens a right answer"]
    return markdown.table([*head, "easy, normal, hard", "tokens of labels and probe", "held-out labels right"], lines)


Outcome = list[tuple[float, float]]  # of each problem: share of right answers, tokens


def _outcome(row: Row) -> Outcome:
    return [((a + b) / 2, t) for a, b, t in zip(row["first"], row["second"], row["tokens"], strict=True)]


def _lots(fixed: Mapping[str, Sequence[Row]], seed: int, shares: Sequence[float]) -> Outcome:
    """What each problem comes to in expectation, if lots with these shares choose its strategy."""
    mixed = zip(*(_outcome(fixed[name][seed]) for name in STRATEGIES), strict=True)
    return [(_weighted(shares, [one[0] for one in of]), _weighted(shares, [one[1] for one in of])) for of in mixed]


def _weighted(shares: Sequence[float], values: Sequence[float]) -> float:
    return sum(share * value for share, value in zip(shares, values, strict=True))


def _oracle(rows: Sequence[Row]) -> Outcome:
    """The best strategy of each problem by one half of its samples, scored by the other; both ways, the mean."""
    found = []
    for i in range(len(rows[0]["tokens"])):
        parts = []
        for chosen_by, scored_by in (("first", "second"), ("second", "first")):
            best = max(rows, key=lambda row: (row[chosen_by][i], -row["tokens"][i]))
            parts.append((best[scored_by][i], best["tokens"][i]))
        found.append((fmean(part[0] for part in parts), fmean(part[1] for part in parts)))
    return found


def _cells(found: Sequence[Outcome], normal: Sequence[Outcome]) -> list[str]:
    mine, theirs = ([one for outcome in outcomes for one in outcome] for outcomes in (found, normal))
    right, tokens = (fmean(one[k] for one in mine) for k in (0, 1))
    less = [mean_interval([a[k] - b[k] for a, b in zip(mine, theirs, strict=True)]) for k in (0, 1)]
    told = [f"{one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]" for one in less]
    same = found == normal
    return [f"{right:.3f}", f"{tokens:.2f}", *(["", ""] if same else told), f"{tokens / right:.1f}" if right else "–"]


def _choice(rows: Sequence[Row]) -> list[str]:
    """Shares of the strategies, what the choice took besides, and how the probe does on labels it has not learnt."""
    if not rows or rows[0]["held_out"] is None:
        return ["", "", ""]
    shares = ", ".join(f"{fmean(row['shares'][k] for row in rows):.2f}" for k in range(len(STRATEGIES)))
    return [shares, f"{fmean(row['extra'] for row in rows):.0f}", f"{fmean(row['held_out'] for row in rows):.2f}"]


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()
