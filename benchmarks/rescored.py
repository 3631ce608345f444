"""A kept report's own-rate comparisons with another choice of rate, from its table of every run.

python -m benchmarks.rescored docs/results/rivals_four_passes/report.md
python -m benchmarks.rescored docs/results/compare/report.md --choose-rate leave-one-out

The runs themselves are not kept; the report has each final value to 0.1 points.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tvo_cli.compare import formatting
from tvo_cli.compare.analysis import contrast, rates
from tvo_cli.compare.analysis.arms import Arm
from tvo_cli.compare.analysis.block_analysis import baseline
from tvo_cli.compare.analysis.measures import Reading, mean
from tvo_cli.compare.render import verdicts
from tvo_cli.compare.runs.run_record import FINISHED, RATE, Trial
from tvo_cli.report.runs import Run

HEADINGS = ("run", "arm", "rate", "seed", "state", "steps", "final")


def trials(text: str) -> Iterator[tuple[str, Trial]]:
    """Arm and run of each line of the table `Every run`."""
    for line in text.partition("## Every run\n")[2].splitlines():
        cells = [cell.strip().replace("\\_", "_") for cell in line.strip("|").split("|")]
        if len(cells) < len(HEADINGS) or cells[4] != FINISHED:
            continue
        name, arm, rate, seed, state, steps, final = cells[: len(HEADINGS)]
        row = {"step": float(steps), "eval/pass@1": float(final) / 100.0}
        run = Run(folder=Path(name), config={}, steps=[], evaluations=[row], summary={}, collapse={})
        yield arm, Trial(name, "", run, {RATE: float(rate), "seed": seed}, state)


def arms(text: str) -> list[Arm]:
    """The arms of a report."""
    found: dict[str, list[Trial]] = {}
    for arm, trial in trials(text):
        found.setdefault(arm, []).append(trial)
    return [Arm(label, tuple(mine)) for label, mine in found.items()]


def lines(found: list[Arm], way: str, how: Reading) -> Iterator[str]:
    """A markdown table of the arms, then the verdicts against GRPO."""
    chosen = {arm.label: rates.choose(arm, how, way) for arm in found}
    yield f"| algorithm | own rate (--choose-rate {way}) | at rate | as measured there |"
    yield "|---|---|---|---|"
    for arm in sorted(found, key=lambda one: -chosen[one.label].optimistic):
        mine = chosen[arm.label]
        own = formatting.interval(mean(list(mine.values(how).values()), how.confidence), True)
        yield f"| {arm.label} | {own} | {formatting.rate(mine.best)} | {formatting.reading(mine.optimistic, True)} |"
    yield ""
    first = baseline(found, None)
    base = chosen[first.label]
    own_rates = [
        contrast.paired_values(one.cell, base.cell, one.values(how), base.values(how), how)
        for label, one in chosen.items()
        if label != first.label
    ]
    yield from (f"- {verdicts.sentence(one, how)}" for one in contrast.family(own_rates))


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--choose-rate", choices=list(rates.WAYS), default=rates.CORRECTED)
    given = parser.parse_args()
    for line in lines(arms(given.report.read_text(encoding="utf-8")), given.choose_rate, Reading("eval/pass@1")):
        print(line)


if __name__ == "__main__":
    main()
