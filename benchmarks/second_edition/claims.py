"""The figures that docs/results/claims.md takes from the second edition's record; what is not there yet waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.harness import markdown
from benchmarks.harness.record import Row, group
from benchmarks.second_edition.plan import FIRST, TASKS
from benchmarks.sweeps.choice import RIVALS, RULE, best_rate
from benchmarks.sweeps.verdicts import REFERENCES, Finals, at_own_rate, differences
from tvo_cli.stats import wilson_interval
from tvo_cli.stats.t_tests import Difference, paired_difference

ALPHA = 0.05
GIVEN = "grpo_shrunk_cv"  # GRPO that is given TVO's pieces, as the issue compares the entropy with it
WAITS = "waits"
LONG = "120 batches"
Figure = Callable[[Sequence[Row], str], str]


def figures(runs: Sequence[Row], planned: int) -> str:
    """A line a claim, a column a row of TVO: the one that leads on arithmetic, and the two that everyone is told from.

    The leader is chosen on the seeds of this table, so its column flatters it by that choice.
    """
    first = _on_arithmetic(runs)
    columns = list(dict.fromkeys([_leader(first), *(name for name in REFERENCES if _of(first, name))]))
    lines: list[tuple[str, Figure]] = [
        ("ahead of rivals, arithmetic: how many at Holm's 5%, and of the best of them", _ahead_on_arithmetic),
        *((f"ahead of rivals, {task}", _on(task, _ahead)) for task in TASKS),
        ("of GRPO that is given the pieces, arithmetic: the best row", _against_grpo_with_pieces),
        *((f"of GRPO that is given the pieces, {task}", _on(task, _against_best_with_pieces)) for task in TASKS),
        ("mean final from 5e-5 to 3e-3: least, most, between them (to be within 0.03)", _over_rates),
        ("collapsed without the rule [95%], falls", _collapses),
        *((f"collapsed at own rate and at 1e-3, {task}", _collapses_on(task)) for task in TASKS),
        (f"of GRPO that is given the pieces, {LONG}", _on(LONG, _against_best_with_pieces)),
        (f"collapsed, {LONG}", _collapses_on(LONG)),
        ("collapsed with the rule, any row [95%], falls", lambda found, _: _counted(_with_rule(found))),
        (f"entropy of a token at own best rates, less {GIVEN}'s, and the difference of finals", _entropy),
    ]
    table = [[what, *(figure(runs, row) for row in columns)] for what, figure in lines]
    done = "complete" if len(runs) >= planned else f"partial: {len(runs):,} of {planned:,} runs, nothing is decided"
    return markdown.table([f"for claims.md ({done})", *columns], table)


def _of(runs: Sequence[Row], row: str) -> list[Row]:
    return [run for run in runs if run["row"] == row]


def _on_arithmetic(runs: Sequence[Row]) -> list[Row]:
    names = {sweep.name for sweep in FIRST}
    return [run for run in runs if run["sweep"] in names]


def _own(runs: Sequence[Row]) -> dict[str, Finals]:
    return {row: at_own_rate(found) for (row,), found in group(runs, "row").items()}


def _leader(runs: Sequence[Row]) -> str:
    """The row of TVO without the rule of the highest mean final accuracy, the choice of its rate paid for."""
    own = {row: np.mean(list(found.values())) for row, found in _own(runs).items() if row.startswith("tvo")}
    return max((row for row in sorted(own) if RULE not in row), key=lambda row: own[row])


def _told(one: Difference) -> str:
    """Of the row less the other, where `one` is the other less the row."""
    return f"{-one.difference:+.3f} [{-one.high:+.3f}, {-one.low:+.3f}]"


def _ahead(own: dict[str, Finals], row: str) -> str:
    """Holm's p is over every row of the table, as the plan has it."""
    found = {name: one for name, one in differences(own, row).items() if name.split()[0] in RIVALS}
    if not found:
        return WAITS
    ahead = sum(one.high < 0.0 and p < ALPHA for one, p in found.values())
    hardest = max(found, key=lambda name: (found[name][0].difference, name))
    one, p = found[hardest]
    return f"{ahead} of {len(found)}; {hardest} {_told(one)}, p {p:.2g}, {one.n} seeds"


def _ahead_on_arithmetic(runs: Sequence[Row], row: str) -> str:
    return _ahead(_own(_on_arithmetic(runs)), row)


def _on(task: str, figure: Callable[[dict[str, Finals], str], str]) -> Figure:
    """A figure of another task; each row at the rate that seeds 100 and 101 chose for it there."""

    def found(runs: Sequence[Row], row: str) -> str:
        own = _own_on(task, runs)
        return figure(own, row) if row in own else WAITS

    return found


def _own_on(task: str, runs: Sequence[Row]) -> dict[str, Finals]:
    """Finals of another task by row and seed, at the rate that the development seeds chose there."""
    own = {}
    for (name,), mine in group(_of_task(task, runs), "row").items():
        choice = [run for run in runs if run["sweep"] == f"choice of rates, {task}: {name}"]
        rate = best_rate(choice or mine, name)  # 120 batches have the rate of arithmetic alone
        own[name] = {run["seed"]: run["final"] for run in mine if run["lr"] == rate}
    return own


def _of_task(task: str, runs: Sequence[Row]) -> list[Row]:
    return [run for run in runs if run["sweep"].startswith(f"{task}: ")]


def _against_grpo_with_pieces(runs: Sequence[Row], row: str) -> str:
    return _against_best_with_pieces(_own(_on_arithmetic(runs)), row)


def _against_best_with_pieces(own: dict[str, Finals], row: str) -> str:
    given = [name for name in own if name.startswith((GIVEN, "grpo_overdamped")) and RULE not in name]
    if not given:
        return WAITS
    best = max(sorted(given), key=lambda name: float(np.mean(list(own[name].values()))))
    one, p = differences(own, row)[best]
    return f"{best} {_told(one)}, p {p:.2g}, {one.n} seeds"


def _over_rates(runs: Sequence[Row], row: str) -> str:
    rates = group(_of(_on_arithmetic(runs), row), "lr").items()
    means = [float(np.mean([run["final"] for run in found])) for _, found in rates]
    return f"{min(means):.3f}, {max(means):.3f}, {max(means) - min(means):.3f}"


def _collapses(runs: Sequence[Row], row: str) -> str:
    return _counted(_of(_on_arithmetic(runs), row))


def _collapses_on(task: str) -> Figure:
    return lambda runs, row: _counted(_of(_of_task(task, runs), row))


def _with_rule(runs: Sequence[Row]) -> list[Row]:
    return [run for run in runs if RULE in run["row"]]


def _counted(runs: Sequence[Row]) -> str:
    if not runs:
        return WAITS
    count = sum(run["collapsed"] for run in runs)
    bound = wilson_interval(count, len(runs))
    return f"{count} of {len(runs)} [{bound.low:.3f}, {bound.high:.3f}]; {sum(run['falls'] for run in runs)} falls"


def _entropy(runs: Sequence[Row], row: str) -> str:
    """At each one's best rate on arithmetic, paired by seed."""
    first = _on_arithmetic(runs)
    if not _of(first, GIVEN):
        return WAITS
    mine, theirs = (
        {run["seed"]: run for run in _of(first, name) if run["lr"] == best_rate(first, name)} for name in (row, GIVEN)
    )
    seeds = sorted(mine.keys() & theirs.keys())
    told = []
    for name in ("entropy", "final"):
        one = paired_difference([mine[seed][name] for seed in seeds], [theirs[seed][name] for seed in seeds])
        told.append(f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]")
    return ", ".join(told)
