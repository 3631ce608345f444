"""A kept report's own-rate comparisons with another choice of rate, from its table of every run.

python -m benchmarks.rescored docs/results/rivals_four_passes/report.md
python -m benchmarks.rescored docs/results/compare/report.md --choose-rate leave-one-out

The runs themselves are not kept; the report has each final value to 0.1 points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import ROOT
from benchmarks.harness.record import Record, Row, defined, number, text
from benchmarks.harness.settings import Settings, option
from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import contrast_over_seeds, rate_choice
from tvo_cli.comparison.analysis.arms_and_blocks import Arm
from tvo_cli.comparison.analysis.block_analysis import baseline_of_analysis
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.run_values import mean_of_known_values
from tvo_cli.comparison.render import verdict_sentences
from tvo_cli.report.run_folder_reading import LoadedRun
from tvo_cli.runs.trial import FINISHED, RATE, Trial
from tvo_cli.stats.confidence_interval import ConfidenceInterval

READING = MetricChoice("eval/pass@1")
SHARE = "share of problems solved"
TABLES = {
    "arms": {
        "arm": text("algorithm"),
        "mean": number("final pass@1 at its own rate, over seeds", SHARE),
        "low": number("lower end of its 95% interval", SHARE),
        "high": number("upper end", SHARE),
        "runs": number("values that count", "1"),
        "rate": number("the learning rate that is best over all seeds", "1"),
        "optimistic": number("mean at that rate, chosen and scored on the same seeds", SHARE),
    },
    "contrasts": {
        "arm": text("algorithm"),
        "baseline": text("what it is compared with"),
        "difference": number("arm minus baseline", SHARE),
        "low": number("lower end of its 95% interval", SHARE),
        "high": number("upper end", SHARE),
        "p": number("two-sided, of no difference", "probability"),
        "holm": number("the same, by Holm over all contrasts", "probability"),
        "sentence": text("the verdict in words"),
    },
}
HEADINGS = ("run", "arm", "rate", "seed", "state", "steps", "final")


def trials(text: str) -> Iterator[tuple[str, Trial]]:
    """Arm and run of each line of the table `Every run`."""
    for line in text.partition("## Every run\n")[2].splitlines():
        cells = [cell.strip().replace("\\_", "_") for cell in line.strip("|").split("|")]
        if len(cells) < len(HEADINGS) or cells[4] != FINISHED:
            continue
        name, arm, rate, seed, state, steps, final = cells[: len(HEADINGS)]
        row = {"step": float(steps), "eval/pass@1": float(final) / 100.0}
        run = LoadedRun(folder=Path(name), config={}, steps=[], evaluations=[row], summary={}, collapse={})
        yield arm, Trial(name, "", run, {RATE: float(rate), "seed": seed}, state)


def arms(text: str) -> list[Arm]:
    """The arms of a report."""
    found: dict[str, list[Trial]] = {}
    for arm, trial in trials(text):
        found.setdefault(arm, []).append(trial)
    return [Arm(label, tuple(mine)) for label, mine in found.items()]


class Chosen(Settings):
    """What can be chosen."""

    report: Path = option(Path(), "a report.md of tvo compare, with its table of every run", positional=True)
    choose_rate: Literal["corrected", "half", "same", "leave-one-out"] = option("corrected", "as of tvo compare")


QUICK = {"report": ROOT / "docs/results/compare/report.md"}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """All arms together: their contrasts are one family."""
    if not settings.report.is_file():
        raise SystemExit(f"{settings.report}: no such report. Name a report.md of tvo compare.")
    found = arms(settings.report.read_text(encoding="utf-8"))
    yield Measurement("arms", {}, partial(own_rates, found, settings.choose_rate))
    yield Measurement("contrasts", {}, partial(contrasts, found, settings.choose_rate))


def own_rates(found: list[Arm], way: str) -> list[Row]:
    """Each arm at its own rate, the best first."""
    chosen = {arm.label: rate_choice.choose_rate(arm, READING, way) for arm in found}
    rows = []
    for label, mine in sorted(chosen.items(), key=lambda one: -one[1].optimistic):
        own = mean_of_known_values(list(mine.values(READING).values()), READING.confidence)
        ends = {name: defined(value) for name, value in (("mean", own.mean), ("low", own.low), ("high", own.high))}
        rows.append({"arm": label, **ends, "runs": own.n, "rate": mine.best, "optimistic": defined(mine.optimistic)})
    return rows


def contrasts(found: list[Arm], way: str) -> list[Row]:
    """Each other arm minus the baseline, by paired values."""
    first = baseline_of_analysis(found, None)
    chosen = {arm.label: rate_choice.choose_rate(arm, READING, way) for arm in found}
    base = chosen.pop(first.label)
    pairs = [
        contrast_over_seeds.contrast_by_seed(one.cell, base.cell, one.values(READING), base.values(READING), READING)
        for one in chosen.values()
    ]
    return [_contrast(one) for one in contrast_over_seeds.with_holm_over_family(pairs)]


def _contrast(one: contrast_over_seeds.SeedContrast) -> Row:
    seen = one.over_seeds
    numbers = {"difference": seen.difference, "low": seen.low, "high": seen.high, "p": seen.p, "holm": one.adjusted}
    found = {name: defined(value) for name, value in numbers.items()}
    return {
        "arm": one.a.arm,
        "baseline": one.b.arm,
        **found,
        "sentence": verdict_sentences.verdict_sentence(one, READING),
    }


def table(record: Record) -> str:
    """A table of the arms, then the verdicts against the baseline."""
    lines = [[row["arm"], _interval(row), _rate(row), _reading(row)] for row in record.rows("arms")]
    head = ["algorithm", f"own rate (--choose-rate {record.settings['choose_rate']})", "at rate", "as measured there"]
    said = "\n".join(f"- {row['sentence']}" for row in record.rows("contrasts"))
    return f"{markdown.table(head, lines)}\n\n{said}"


def _interval(row: Row) -> str:
    mean, low, high = (math.nan if row[name] is None else row[name] for name in ("mean", "low", "high"))
    return formatting.format_interval(ConfidenceInterval(mean, low, high, row["runs"]), True)


def _rate(row: Row) -> str:
    return formatting.format_rate(row["rate"])


def _reading(row: Row) -> str:
    return formatting.format_metric(row["optimistic"], True)


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table)

if __name__ == "__main__":
    BENCHMARK.main()
