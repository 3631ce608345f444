"""The tables of `thermodynamic_laws`: a law a line, what it says, what was found over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.harness import markdown
from benchmarks.harness.record import Record, Row, group
from benchmarks.thermodynamic_laws.fits import (
    Curve,
    DecayFit,
    annealing_law,
    fit_decays,
    fit_law,
    log_slope,
    mean_error,
    thermodynamic_law,
)
from tvo_cli.stats import mean_interval

FITTED = ("constant", "cosine")
SKIPPED = 0.1  # of a curve, its steep beginning


def table(record: Record) -> str:
    """All of them; a law whose rows are not there yet has no line."""
    parts = (_laws(record), _rates(record), _shapes(record), _curves(record))
    return "\n\n".join(part for part in parts if part)


def over_seeds(values: Sequence[float]) -> str:
    """Mean and 95% t interval."""
    found = mean_interval(values)
    return f"{found.mean:.3g} [{found.low:.3g}, {found.high:.3g}]"


def _laws(record: Record) -> str:
    lines = []
    for name in ("adamw", "sgd"):
        heats = [rows for rows in group(_of(record, "heats", name), "seed").values() if len(rows) > 1]
        found = list(_of(record, "directions", name))
        lines += [_line(f"{name}: {label}", says, of, heats) for label, says, of in HEATS]
        lines += [_line(f"{name}: {label}", says, of, found) for label, says, of in DIRECTIONS]
    lines += [_line(label, says, of, _decay_fits(record)) for label, says, of in DECAYS]
    return markdown.table(["law", "says", "found, mean over seeds", "seeds"], filter(None, lines))


def _line(label: str, says: str, of: Callable[..., float | None], units: Sequence[object]) -> list[str]:
    values = [value for value in map(of, units) if value is not None]
    return [label, says, over_seeds(values), str(len(values))] if values else []


def _of(record: Record, name: str, optimizer: str) -> list[Row]:
    return [row for row in record.rows(name) if row["optimizer"] == optimizer]


def _heat_exponent(rows: Sequence[Row]) -> float:
    return log_slope([row["rate"] for row in rows], [row["heat"] for row in rows])


def _heat_over_noise(rows: Sequence[Row]) -> float:
    return float(np.mean([row["heat"] / (row["rate"] * row["noise"] / 4.0) for row in rows]))


def _least_rate(rows: Sequence[Row]) -> Row:
    return min(rows, key=lambda row: float(row["rate"]))


HEATS = (
    ("exponent of the heat in the rate", "1", _heat_exponent),
    ("heat over η·tr(PΣ)/4", "1", _heat_over_noise),
    ("the same at the least rate", "1", lambda rows: _heat_over_noise([_least_rate(rows)])),
    ("heat capacity at the least rate", "> 0", lambda rows: _least_rate(rows)["heat"] / _least_rate(rows)["rate"]),
    ("entropic force over the probe's, along the river", "≠ 0", lambda rows: _mean_force(rows)),
)


def _mean_force(rows: Sequence[Row]) -> float | None:
    forces = [row["force"] for row in rows if row["force"] is not None]
    return float(np.mean(forces)) if forces else None


def predicted_energies(row: Row) -> list[float]:
    """η·s²/(2·(2 − η·a)) along each direction; not a number where η·a reaches 2."""
    pairs = zip(row["curvatures"], row["noises"], strict=True)
    return [row["rate"] * s / (2.0 * (2.0 - row["rate"] * a)) if row["rate"] * a < 2.0 else math.nan for a, s in pairs]


def _energy_over_predicted(row: Row) -> float:
    """Geometric mean over directions."""
    ratios = np.asarray(row["energies"]) / np.asarray(predicted_energies(row))
    return float(np.exp(np.nanmean(np.log(ratios))))


def _energy_exponent(row: Row) -> float:
    return log_slope(row["curvatures"], row["energies"])


def _noise_exponent(row: Row) -> float:
    return log_slope(row["curvatures"], row["noises"])


DIRECTIONS = (
    ("equipartition: exponent of energy in curvature", "0", _energy_exponent),
    ("exponent of noise in curvature", "0 for equal energies", _noise_exponent),
    ("energy over η·s²/(2(2 − η·a)), by direction", "1", _energy_over_predicted),
)
DECAYS = (
    ("decays: C of the least rate", "the heat capacity", lambda one: one[0].capacity),
    ("decays: the same over the measured heat capacity", "1", lambda one: one[0].capacity / one[1] if one[1] else None),
    ("decays: nats a unit of the sum of rates", "> 0", lambda one: one[0].river),
    ("decays: a of the cooling", "> 0", lambda one: one[0].curvature),
    ("decays: share explained", "1", lambda one: one[0].explained),
)


def _decay_fits(record: Record) -> list[tuple[DecayFit, float]]:
    """Of each seed with a whole grid: the fit, and AdamW's heat over its least rate."""
    peak, found = record.settings["adamw"][0], []
    capacities = {
        seed: _least_rate(rows)["heat"] / _least_rate(rows)["rate"]
        for (seed,), rows in group(_of(record, "heats", "adamw"), "seed").items()
    }
    grid = len(record.settings["lengths"]) * len(record.settings["ends"])
    for (seed,), rows in group((row for row in record.rows("decays") if row["shape"] == "1/t"), "seed").items():
        if len(rows) == grid > 3:
            ends = [peak * row["end"] for row in rows]
            fit = fit_decays(peak, [row["sum"] for row in rows], ends, [row["loss"] for row in rows])
            found.append((fit, capacities.get(seed, 0.0)))
    return found


def _rates(record: Record) -> str:
    """Heat by optimiser and rate."""
    found = group(record.rows("heats"), "optimizer", "rate")
    lines = [
        [name, f"{rate:g}", *(over_seeds([row[key] for row in rows]) for key in ("heat", "bottom"))]
        for (name, rate), rows in found.items()
    ]
    return markdown.table(["optimiser", "rate", "heat, nats", "loss of the mean weights, nats"], lines)


def _shapes(record: Record) -> str:
    """The loss at the end of each shape less that of 1/t from the same state on the same rows."""
    end = record.settings["ends"][0]
    rows = [row for row in record.rows("decays") if row["end"] == end]
    river = {(row["seed"], row["steps"]): row["loss"] for row in rows if row["shape"] == "1/t"}
    found = group((row for row in rows if (row["seed"], row["steps"]) in river), "shape", "steps")
    lines = [
        [shape, str(steps), f"{of[0]['sum']:.3g}", over_seeds([row["loss"] - river[row["seed"], steps] for row in of])]
        for (shape, steps), of in found.items()
        if shape != "1/t"
    ]
    return markdown.table(["decay", "updates", "sum of rates", "loss over that of 1/t, nats"], lines) if lines else ""


def curve_of(row: Row) -> Curve:
    """A row as a curve, without its steep beginning."""
    steps, losses = np.asarray(row["steps"], dtype=np.int64), np.asarray(row["losses"], dtype=np.float64)
    kept = steps > SKIPPED * len(row["rates"])
    return Curve(np.asarray(row["rates"], dtype=np.float64), steps[kept], losses[kept])


def _curves(record: Record) -> str:
    """Both laws, fitted to two curves of a seed: mean error there, on each of the others, and the paired difference."""
    errors: dict[str, list[tuple[float, float]]] = {}
    for rows in group(record.rows("curves"), "seed").values():
        curves = {row["schedule"]: curve_of(row) for row in rows}
        if set(FITTED) <= curves.keys() and len(rows) > len(FITTED):
            chosen = [curves[name] for name in FITTED]
            fits = [(law, fit_law(law, chosen)) for law in (thermodynamic_law, annealing_law)]
            for name, curve in curves.items():
                errors.setdefault(name, []).append(tuple(mean_error(law, p, [curve]) for law, p in fits))  # type: ignore[arg-type]
    lines = [[name, "fitted" if name in FITTED else "predicted", *_both(pairs)] for name, pairs in errors.items()]
    head = ["schedule", "", "thermodynamic law, nats", "annealing law, nats", "difference"]
    return markdown.table(head, lines) if lines else ""


def _both(pairs: Sequence[tuple[float, float]]) -> list[str]:
    columns = [[a for a, _ in pairs], [b for _, b in pairs], [a - b for a, b in pairs]]
    return [over_seeds(column) for column in columns]
