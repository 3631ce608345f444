"""What the zoo's runs say of each recipe: at its own best rate, what that kept and cost, and over the rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import NamedTuple

from benchmarks.harness import markdown
from benchmarks.harness.record import Row, group
from benchmarks.sweeps.choice import best_rate
from benchmarks.sweeps.verdicts import at_own_rate, differences
from tvo_cli.comparison.analysis.run_values import mean_of_known_values
from tvo_cli.stats import wilson_interval
from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.stats.t_tests import Difference

REFERENCES = ("tvo", "grpo")  # every recipe is compared with each of them
LEARNT = 0.5  # final accuracy that is not below half of any peak
LEVEL = 0.05  # of Holm's p, below which a difference is called one


class Recipe(NamedTuple):
    """The runs of a recipe."""

    name: str
    rate: float  # at which its mean final accuracy is highest
    runs: list[Row]  # all of them
    here: list[Row]  # at that rate
    own: dict[int, float]  # final accuracy there by seed, less the optimism of the choice


def counted(runs: Sequence[Row]) -> list[Row]:
    """Runs as they count: one that an error ended has an accuracy of 0."""
    return [run | {"final": 0.0} if run["broke"] else run for run in runs]


def tables(runs: Sequence[Row], rates: Sequence[float]) -> str:
    """Three tables of the seeds that have all recipes at all rates, what they decide, and the runs that broke."""
    seeds, waiting = _whole_seeds(runs, rates)
    told = f"Seeds {_listed(seeds)}." + (f" Not all runs yet, not counted: {_listed(waiting)}." if waiting else "")
    if not seeds:
        return f"No seed has all runs yet: {len(runs)} are finished."
    whole, ranked = _of_seeds(runs, seeds), ranked_recipes(runs, rates)
    parts = [told + ("" if len(seeds) > 1 else " One seed: a rate is chosen by the run that scores it.")]
    parts += [_own_rates(ranked), _verdicts(ranked), _kept_and_cost(ranked), _over_rates(ranked, rates), _broken(whole)]
    return "\n\n".join(filter(None, parts))


def ranked_recipes(runs: Sequence[Row], rates: Sequence[float]) -> list[Recipe]:
    """The recipes by the seeds that have all runs, the best at its own rate first."""
    seeds, _ = _whole_seeds(runs, rates)
    found = [_recipe(name, mine) for (name,), mine in group(_of_seeds(runs, seeds), "row").items()]
    return sorted(found, key=lambda one: (-fmean(one.own.values()), one.name))


def _of_seeds(runs: Sequence[Row], seeds: Sequence[int]) -> list[Row]:
    return counted([run for run in runs if run["seed"] in seeds])


def _whole_seeds(runs: Sequence[Row], rates: Sequence[float]) -> tuple[list[int], list[int]]:
    """Seeds with every recipe of any seed at every rate, and those that lack some: of fewer no best rate is known."""
    wanted = {(run["row"], rate) for run in runs for rate in rates}
    by_seed = {seed: {(run["row"], run["lr"]) for run in mine} for (seed,), mine in group(runs, "seed").items()}
    whole = sorted(seed for seed, there in by_seed.items() if there >= wanted)
    return whole, sorted(by_seed.keys() - set(whole))


def _recipe(name: str, runs: list[Row]) -> Recipe:
    rate = best_rate(runs, name)
    return Recipe(name, rate, runs, [run for run in runs if run["lr"] == rate], at_own_rate(runs))


def _own_rates(ranked: Sequence[Recipe]) -> str:
    """Final accuracy, the best first, and what each is above the references, paired by seed (Holm)."""
    above = _above_references(ranked)
    lines = []
    for one in ranked:
        differing = [_difference(found.get(one.name)) for found in above]
        lines.append([one.name, _rate(one), _interval(list(one.own.values())), *differing])
    head = [f"less {name} [95%]; p, Holm" for name in REFERENCES]
    return markdown.table(["recipe", "own best rate", "final there [95%]", *head], lines)


def _above_references(ranked: Sequence[Recipe]) -> list[dict[str, tuple[Difference, float]]]:
    own = {one.name: one.own for one in ranked}
    return [differences(own, name) if name in own else {} for name in REFERENCES]


def _rate(one: Recipe) -> str:
    """The best rate, marked where it is an end of the grid: a better one may lie beyond."""
    rates = {run["lr"] for run in one.runs}
    return f"{one.rate:g}" + (" (end)" if len(rates) > 1 and one.rate in (min(rates), max(rates)) else "")


def _verdicts(ranked: Sequence[Recipe]) -> str:
    """Which recipes are above, below or not separated from each reference."""
    lines = []
    for name, found in zip(REFERENCES, _above_references(ranked), strict=True):
        sides: dict[str, list[str]] = {side: [] for side in ("above", "below", "not separated from") if found}
        for row, (one, p) in found.items():
            sides[_side(one.difference, p)].append(row)
        lines += [f"- {side} `{name}` ({len(rows)}): {_listed(rows) or 'none'}" for side, rows in sides.items()]
    return "\n".join(lines)


def _side(difference: float, p: float) -> str:
    """What a difference is called; one seed has no p, and separates nothing."""
    if not p < LEVEL:
        return "not separated from"
    return "above" if difference > 0 else "below"


def _kept_and_cost(ranked: Sequence[Recipe]) -> str:
    """At the own best rate: entropy, noise, rollouts to the threshold, responses and seconds."""
    least = min(run["lr"] for one in ranked for run in one.runs)
    lines = [
        [
            one.name,
            _interval(_known(one.here, "kept")),
            _log_interval(_known(one.here, "noise")),
            _log_interval(_known([run for run in one.runs if run["lr"] == least], "noise")),
            _reached([run["rollouts"] for run in one.here]),
            _mean(_known(one.here, "sampled"), ".0f"),
            _mean(_known(one.here, "seconds"), ".2f"),
        ]
        for one in ranked
    ]
    head = ["recipe", "entropy kept [95%]", "noise [95%]", f"noise at {least:g} [95%]", "rollouts to threshold"]
    return markdown.table([*head, "responses", "s a batch"], lines)


def _over_rates(ranked: Sequence[Recipe], rates: Sequence[float]) -> str:
    """Mean finals at each rate, and collapses of all runs with Wilson's interval; a run that broke is among them."""
    lines = [[one.name, *(_at(one, rate) for rate in rates), _collapsed(one.runs)] for one in ranked]
    return markdown.table(["recipe", *(f"final at {rate:g}" for rate in rates), "collapsed [95%]"], lines)


def _at(one: Recipe, rate: float) -> str:
    """The mean final at a rate, and how many of its runs collapsed."""
    here = [run for run in one.runs if run["lr"] == rate]
    fallen = sum(run["collapsed"] for run in here)
    return _mean([run["final"] for run in here], ".3f") + (f" ({fallen})" if fallen else "")


def _collapsed(runs: Sequence[Row]) -> str:
    """A run that ends at half or more has not lost the task: its entropy alone, under a tenth of the start, counts."""
    fallen = [run for run in runs if run["collapsed"]]
    bound = wilson_interval(len(fallen), len(runs))
    certain = sum(run["final"] >= LEARNT for run in fallen)
    told = f", {certain} by entropy alone" if certain else ""
    return f"{len(fallen)} of {len(runs)} [{bound.low:.3f}, {bound.high:.3f}]{told}"


def _broken(runs: Sequence[Row]) -> str:
    """Each run that an error ended, and the error."""
    return "\n".join(
        f"- broke: {run['row']} at {run['lr']:g}, seed {run['seed']}: {run['broke']}" for run in runs if run["broke"]
    )


def _known(runs: Sequence[Row], name: str) -> list[float]:
    return [run[name] for run in runs if run[name] is not None]


def _mean(values: Sequence[float], form: str) -> str:
    return format(fmean(values), form) if values else "–"


def _interval(values: Sequence[float]) -> str:
    """Mean and 95% t interval; one value, or equal ones, have none."""
    return _shown(mean_of_known_values(values, 0.95), float) if values else "–"


def _log_interval(values: Sequence[float]) -> str:
    """Geometric mean, with the t interval of the logarithms."""
    return _shown(mean_of_known_values([math.log(value) for value in values], 0.95), math.exp) if values else "–"


def _shown(found: ConfidenceInterval, back: Callable[[float], float]) -> str:
    ends = "" if math.isnan(found.low) else f" [{back(found.low):.3f}, {back(found.high):.3f}]"
    return f"{back(found.mean):.3f}{ends}"


def _difference(found: tuple[Difference, float] | None) -> str:
    if found is None:
        return ""
    one, p = found
    ends = "" if math.isnan(one.low) else f" [{one.low:+.3f}, {one.high:+.3f}]"
    return f"{one.difference:+.3f}{ends}" + ("" if math.isnan(p) else f"; {p:.3g}")


def _reached(values: Sequence[float | None]) -> str:
    """Median over all seeds, one that never got there counting as later than any; and how many got there."""
    middle = median(math.inf if value is None else value for value in values)
    reached = sum(value is not None for value in values)
    return f"{middle:.0f} ({reached} of {len(values)})".replace("inf", "never")


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
