"""The gradient's variance off-policy, at equal displacement: one policy samples, another one's gradient is taken.

    python -m benchmarks.off_policy_variance      resumable; the policies of the stages are trained first

Behaviour policies π_old are stages of one run. Displaced policies π lie on a line through each, along the update that
one ordinary batch makes of it, where the mean |π(a|s) − π_old(a|s)| over sampled tokens is d: one π for all estimators,
so that parameters and displacement are equal. Each estimator's gradient is taken at π on batches of 128 rollouts of
π_old, with its ratios, clip or mobility; the true gradient is that of the reward at π, on-policy. Batches are new ones,
not those that moved the policy; β and the baseline's shrinkage have learnt at π_old.

Means are over seeds; every inner product of two means is over pairs of different seeds, so that no noise of a mean
enters a square (a U-statistic). Intervals are 95%, by the jackknife over seeds, of ratios on a log scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Record, Row, group, number, numbers, text
from benchmarks.harness.settings import Settings, option
from benchmarks.off_policy_variance.statistics import (
    CONTROLS,
    OF_INTEREST,
    REFERENCE,
    TRUE,
    Cell,
    interval,
    jackknife,
    ratio_interval,
)

CELL = ("stage", "direction", "displacement")
TABLES = {
    "gradients": {
        "stage": number("of the run that trained the behaviour policy", "batches"),
        "direction": text("whose update of one batch the displaced policy lies along"),
        "displacement": number("d that was asked for", "probability"),
        "estimator": text("as cells.py names it; true: on-policy at the displaced policy"),
        "seed": number("of problems and responses", "1"),
        "moved": number("mean |π − π_old| over the tokens of the measured batches", "probability"),
        "scale": number("how many updates of the direction the policy was moved by", "1"),
        "beta": number("of the control variate; 0 without one", "reward"),
        "reward": number("mean reward of the batches", "reward"),
        "trace": number("tr Cov of a batch's gradient", "reward²"),
        "squares": numbers("each batch: its gradient's squared norm", "reward²"),
        "products": numbers("each row of the cell up to this one: inner product of both mean gradients", "reward²"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    stages: tuple[int, ...] = option((0, 10, 30), "batches of training behind the behaviour policy", min_length=1)
    algorithm: str = option("tvo_2025", "that trains the policy of the stages")
    displacements: tuple[float, ...] = option((0.0, 0.03, 0.1, 0.01, 0.06), "d along tvo's update")
    others: tuple[float, ...] = option((0.03,), "d along grpo's update, as a check")
    repeats: int = option(8, "seeds, each with batches and warm-up of its own", gt=2)
    batches: int = option(12, "of an estimator and seed", gt=1)
    true_batches: int = option(24, "of the true gradient and seed", gt=1)
    warm_up: int = option(3, "batches in which β and the shrinkage learn first", gt=0)
    first_seed: int = option(200, "of the repeats")


QUICK = {"stages": (0,), "displacements": (0.01,), "others": (), "repeats": 3, "batches": 2, "true_batches": 2}
QUICK |= {"warm_up": 1}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Displacement by displacement, in the order of the settings: every stage has the first before one the next."""
    cells = [("tvo", d) for d in settings.displacements] + [("grpo", d) for d in settings.others]
    for direction, displacement in cells:
        for stage in settings.stages:
            key = dict(zip(CELL, (stage, direction, displacement), strict=True))
            yield Measurement("gradients", key, partial(_cell, settings, stage, direction, displacement))


def _cell(settings: Chosen, stage: int, direction: str, displacement: float) -> list[Row]:
    from benchmarks.off_policy_variance.cells import Sizes, rows_of_cell

    seeds = tuple(range(settings.first_seed, settings.first_seed + settings.repeats))
    counts = (settings.batches, settings.warm_up, settings.true_batches)
    return rows_of_cell(Sizes(settings.algorithm, max(settings.stages), seeds, *counts), stage, direction, displacement)


def table(record: Record) -> str:
    """The cells, then a table a reading with the displacements side by side, then what the control variates add."""
    found = sorted(group(record.rows("gradients"), *CELL).items(), key=lambda one: (one[0][1] != "tvo", one[0]))
    cells = {key: Cell.of(rows) for key, rows in found}
    readings: dict[str, Callable[[Cell, str], str]] = {
        "tr Cov/projection² over GRPO's": lambda cell, name: _normalised(cell, name, REFERENCE),
        "tr Cov over GRPO's": lambda cell, name: ratio_interval(cell, Cell.trace_over, name, REFERENCE),
        "projection on the true gradient": lambda cell, name: interval(cell, Cell.projection, name),
        "bias², |E ĝ − g|²/|g|²": lambda cell, name: interval(cell, Cell.bias, name),
        "of it across g, which no rescaling takes away": lambda cell, name: interval(cell, Cell.across, name),
    }
    parts = [_about_cells(cells), *(f"{name}:\n\n{_pivot(cells, one)}" for name, one in readings.items())]
    return "\n\n".join([*parts, f"What control variates do:\n\n{_controls(cells)}"])


def _normalised(cell: Cell, name: str, other: str) -> str:
    """The ratio of tr Cov/projection²; – where the interval of one of the projections reaches down to 0."""
    found = all(jackknife(cell, partial(Cell.projection, name=one))[1] > 0.0 for one in (name, other))
    return ratio_interval(cell, Cell.normalised_over, name, other) if found else "–"


Cells = dict[tuple[int, str, float], Cell]


def _about_cells(cells: Cells) -> str:
    head = ["stage", "direction", "d", "measured", "updates", "reward at π", "‖g‖²", "GRPO's tr Cov/projection²"]
    return markdown.table(head, [[*_named(key), *_facts(cell)] for key, cell in cells.items()])


def _facts(cell: Cell) -> list[str]:
    """What π is: displacement as measured, updates of the direction, reward, |g|², GRPO's noise."""
    first, noise = next(iter(cell.rows.values())), interval(cell, Cell.normalised, REFERENCE)
    measured, reward = cell.mean("moved", REFERENCE), cell.mean("reward", TRUE)
    return [f"{measured:.4f}", f"{first['scale']:.2f}", f"{reward:.3f}", f"{cell.signal:.3g}", noise]


def _named(key: tuple[int, str, float]) -> list[str]:
    return [str(key[0]), key[1], f"{key[2]:g}"]


def _pivot(cells: Cells, reading: Callable[[Cell, str], str]) -> str:
    """Rows: stage, direction, estimator; a column a displacement."""
    columns = sorted({d for _, _, d in cells})
    lines = []
    for stage, direction in dict.fromkeys((stage, direction) for stage, direction, _ in cells):
        own = {d: cell for (s, way, d), cell in cells.items() if (s, way) == (stage, direction)}
        for name in OF_INTEREST:
            shown = [reading(own[d], name) if d in own else "" for d in columns]
            lines.append([str(stage), direction, name, *shown])
    return markdown.table(["stage", "direction", "estimator", *(f"d = {d:g}" for d in columns)], lines)


def _controls(cells: Cells) -> str:
    """Each control variate against none, on the same batches."""
    head = ["stage", "direction", "d", "control variate", "β", "tr Cov/projection² over none's"]
    head += ["added along g", "added²", "force on ½∇Σπ²", "its share of added²"]
    lines = [[*_named(key), *line] for key, cell in cells.items() for line in _control_lines(cell)]
    return markdown.table(head, lines)


def _control_lines(cell: Cell) -> Iterator[list[str]]:
    for name, without in CONTROLS.items():
        _, least, _ = jackknife(cell, partial(Cell.added, name=name, without=without))
        share = f"{cell.share_of_sharpening(name, without):.2f}" if least > 0.0 else "–"
        ratio = _normalised(cell, name, without)
        added = (interval(cell, one, name, without) for one in (Cell.added_along, Cell.added, Cell.sharpening))
        yield [name, f"{cell.beta(name):.2f}", ratio, *added, share]


BENCHMARK = Benchmark(
    "off_policy_variance", __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(100, 101), any_machine=True
)
