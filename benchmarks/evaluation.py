"""Problems per second of `tvo eval` against lm-evaluation-harness 0.4.13, in turn, on the same core.

    python -m benchmarks.evaluation                                  # our side alone
    python -m benchmarks.evaluation --peer lm-eval                   # sets the harness up below outputs/ the first time
    python -m benchmarks.evaluation --peer lm-eval --peer-python /path/to/venv/bin/python
    python -m benchmarks.evaluation --peer lm-eval --model FOLDER --problems 32 --samples 4 --tokens 16
    python -m benchmarks.evaluation --peer lm-eval --model FOLDER --data FILE --problems 16 --samples 2 --tokens 128

The same random model (W1), the same sums, 8 samples each of at most 64 tokens at temperature 1, which a newline ends,
fp32, one thread; with --model a pretrained one on few-shot sums (dataset=chain_sums, held out), whose score is read on
both sides: ours over all samples, the harness's over each problem's first. With --data the first problems of a file
(JSON lines of problem and answer), which nothing but an end token or the limit ends; the harness finds no LaTeX, so its
score says nothing there. Each side counts the tokens of the prompts that its model was given; where these differ, there
is no ratio. Ours is timed from nothing, loading included; the harness's time begins after its model is
loaded, at batch size 64. Ratios are of CPU and of wall seconds, one a turn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.harness import child_process, markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.markdown import spread
from benchmarks.harness.record import Record, Row, group, number, text
from benchmarks.harness.settings import Settings, option
from benchmarks.peers.environment import interpreter, version
from benchmarks.workload.step_process import turns
from benchmarks.workload.work import W1, build

SIDES = {"tvo": "benchmarks.workload.tvo_eval", "lm-eval": "benchmarks.peers.lm_eval_side"}
PACKAGES = {"tvo": "tvo-cli", "lm-eval": "lm_eval"}
CLOCKS = ("cpu", "wall")
TABLES = {
    "processes": {
        "turn": number("which turn of the sides", "1"),
        "side": text("which tool"),
        "version": text("its version"),
        "problems": number("problems", "1"),
        "samples": number("samples a problem", "1"),
        "cpu": number("processor time", "s"),
        "wall": number("time", "s"),
        "prompt_tokens": number("tokens of a prompt that the model was given, on average", "tokens"),
        "tokens": number("response tokens; null where the tool does not say", "tokens"),
        "score": number("share of answers that are right", "share of responses"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    peer: Literal["", "lm-eval"] = option("", "the other side")
    peer_python: str = option("", "an interpreter that has lm-eval 0.4.13; else one is set up")
    problems: int = option(200, "problems", gt=0)
    model: str = option("", "the folder of a pretrained model; else W1's random one, which is never right")
    data: str = option("", "JSON lines of problem and answer to ask instead, with --model; no newline ends an answer")
    samples: int = option(8, "responses a problem", gt=0)
    tokens: int = option(64, "of a response, at most", gt=0)
    temperature: float = option(1.0, "of sampling; 0: greedy, where the scores must be one", ge=0)
    repeats: int = option(3, "turns", gt=0)
    core: str = option("1", "the core that both sides are pinned to; empty: none")


QUICK = {"problems": 2, "repeats": 1, "core": ""}


def prepare(folder: Path, problems: int, model: str = "", data: str = "") -> Path:
    """Model and problems: W1's, or the given one and few-shot sums or a file's; as many as are asked for."""
    if model:
        rows = _problems_of_file(Path(data), problems) if data else _few_shot_sums(problems)
        return _prepare_pretrained(folder / "pretrained", rows, Path(model).expanduser().absolute())
    build(W1, folder, -(-problems // W1.prompts))
    place = folder / "problems.jsonl"
    place.write_text("\n".join(place.read_text(encoding="utf-8").splitlines()[:problems]), encoding="utf-8")
    return folder


def _few_shot_sums(count: int) -> list[dict[str, str]]:
    from tvo_cli.data.chain_sums import ChainSumsProblems, ChainSumsSettings

    sums = ChainSumsProblems(ChainSumsSettings(), split="test", seed=0)
    return [{"question": one.question, "answer": one.answer} for one in map(sums.problem, range(count))]


def _problems_of_file(path: Path, count: int) -> list[dict[str, str]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()[:count]]
    return [{"question": f"Problem:\n{row['problem']}\n\nSolution:", "answer": row["answer"]} for row in rows]


def _prepare_pretrained(folder: Path, rows: list[dict[str, str]], model: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model").unlink(missing_ok=True)
    (folder / "model").symlink_to(model)
    (folder / "problems.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The sides in turn."""
    peer = settings.peer
    pythons = {"tvo": sys.executable} | ({peer: interpreter(peer, settings.peer_python)} if peer else {})
    folder = prepare(FOLDER / "evaluation", settings.problems, settings.model, settings.data)
    for turn in range(settings.repeats):
        for side, python in pythons.items():
            key = {"turn": turn, "side": side}
            yield Measurement("processes", key, partial(_process, settings, side, python, folder))


def _process(settings: Chosen, side: str, python: str, folder: Path) -> Row:
    offline = {"HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    words = [str(folder), *map(str, (settings.samples, settings.tokens, settings.temperature))]
    words.append("" if settings.data else "\n")
    found = child_process.run([python, "-m", SIDES[side], *words], settings.core, offline)
    sizes = {"problems": settings.problems, "samples": settings.samples, "version": version(python, PACKAGES[side])}
    return sizes | {"tokens": None} | found


def ratios(rows: list[Row]) -> dict[str, list[float]]:
    """The harness's seconds over ours, turn by turn."""
    pairs = turns(rows, "tvo", "lm-eval")
    return {clock: [theirs[clock] / mine[clock] for mine, theirs in pairs] for clock in CLOCKS}


def _prompts_that_differ(rows: list[Row]) -> str:
    """What to say where the sides were not given the same prompts; "" where they were, and of records without it."""
    read = {side: {run.get("prompt_tokens") for run in runs} for (side,), runs in group(rows, "side").items()}
    if len(set().union(*read.values())) <= 1:
        return ""
    told = ", ".join(f"{side} {' and '.join(map(str, found))}" for side, found in read.items())
    return f"\n\n**The sides were not given the same prompts, so there is no ratio.** Tokens of a prompt: {told}."


def table(record: Record) -> str:
    """Problems a second of each side, and the ratios; none where the prompts were not the same."""
    rows = record.rows("processes")
    apart = _prompts_that_differ(rows)
    lines = [
        [f"{side}, problems/s by {clock}", spread([run["problems"] / run[clock] for run in runs])]
        for (side,), runs in group(rows, "side").items()
        for clock in CLOCKS
    ]
    lines += [
        [f"{side}, score", spread([run["score"] for run in runs], 3)] for (side,), runs in group(rows, "side").items()
    ]
    lines += [[f"ratio by {clock}", spread(found)] for clock, found in ratios(rows).items() if found and not apart]
    sizes = f"{rows[0]['problems']} problems × {rows[0]['samples']} samples" if rows else ""
    return f"{sizes}\n\n{markdown.table(['', 'median (least … most) over turns'], lines)}{apart}"


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(0,))

if __name__ == "__main__":
    BENCHMARK.main()
