"""How often 95% intervals and tests keep their promise, by simulation with a known truth: docs/results/intervals.md.

python -m benchmarks.coverage                                        # everything; most of an hour on one core
python -m benchmarks.coverage --parts intervals --trials 10000       # every interval of tvo_cli.stats, four minutes
python -m benchmarks.coverage --parts rates                          # each `tvo compare --choose-rate`, seven minutes
python -m benchmarks.coverage --parts few_seeds                      # rates of few seeds beside full ones, a minute
python -m benchmarks.coverage --parts evaluations                    # the interval of an accuracy, half an hour
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from benchmarks.coverage.few_seeds import RULES as FEW_SEEDS_RULES
from benchmarks.coverage.few_seeds import Grid, false_verdicts, grids
from benchmarks.coverage.intervals import SEEDS, Case, cases, coverage, false_alarms, seeds_told
from benchmarks.coverage.rates import SEEDS as RATE_SEEDS
from benchmarks.coverage.rates import WAYS, Setup, setups
from benchmarks.coverage.rates import measure as simulate
from benchmarks.coverage.shares import ACCURACIES, KINDS, PROBLEMS, SAMPLES, exact, t_ends, walds, wilson_ends
from benchmarks.coverage.shares import coverage as coverage_of_accuracy
from benchmarks.coverage.tables import table
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Row, defined, number, text
from benchmarks.harness.settings import Settings, option
from tvo_cli.stats.confidence_interval import ConfidenceInterval, clustered_interval

__all__ = ["SEEDS", "Case", "cases", "coverage", "false_alarms", "seeds_told"]

Part = Literal["intervals", "rates", "few_seeds", "evaluations"]
TRIALS: dict[Part, int] = {"intervals": 4_000, "rates": 20_000, "few_seeds": 20_000, "evaluations": 2_000}
FAMILY_SEEDS = (3, 5, 10, 20)
RULES: dict[str, Callable[[list[list[float]]], ConfidenceInterval]] = {
    "clustered_interval": clustered_interval,
    "t": walds,
}
EXACT_RULES = {"Wilson": wilson_ends, "t": t_ends}

SEED = number("added to the first number of each generator's seed", "1")
SHARE = "share of the simulated experiments"
TABLES = {
    "intervals": {
        "interval": text("what is computed"),
        "data": text("what the values are drawn from"),
        "n": number("values: runs, or problems where they are named", "1"),
        "seed": SEED,
        "trials": number("simulated experiments", "1"),
        "covers": number("intervals that hold the truth, of those that exist", SHARE),
        "made": number("experiments that have an interval", SHARE),
    },
    "families": {
        "n": number("seeds of each of five arms", "1"),
        "seed": SEED,
        "alarms": number("at least one of four equal arms is called different", SHARE),
        "alarms_holm": number("the same with Holm's correction", SHARE),
        "told_low": number("first quartile of seeds_needed where 10 is true", "seeds"),
        "told_median": number("its median", "seeds"),
        "told_high": number("its third quartile", "seeds"),
    },
    "rates": {
        "case": text("the arms' means and spreads over their learning rates"),
        "shared": number("part of a seed's variance that all rates of an arm share", "1"),
        "way": text("--choose-rate"),
        "n": number("seeds", "1"),
        "seed": SEED,
        "alarms": number("equal arms called different at 5%", SHARE),
        "power": number("an arm that is better by about the smallest effect of 75% power called different", SHARE),
        "covers": number("an arm's interval holds the true mean of its best rate", SHARE),
    },
    "few_seeds": {
        "n": number("seeds of the full rate", "1"),
        "few": number("seeds of each of the eight others", "1"),
        "shared": number("part of a seed's variance that all rates of an arm share", "1"),
        "rule": text("which rates compete"),
        "seed": SEED,
        "alarms": number("equal arms called different at 5%", SHARE),
    },
    "evaluations": {
        "chances": text("how the problems' chances are spread"),
        "problems": number("problems", "1"),
        "samples": number("samples a problem", "1"),
        "interval": text("the rule"),
        "accuracy": number("the truth", "1"),
        "seed": SEED,
        "covers": number("intervals that hold the accuracy", SHARE),
        "width": number("mean width", "accuracy"),
    },
    "exact": {
        "problems": number("problems, one 0/1 score each", "1"),
        "interval": text("the rule"),
        "least": number("least coverage over accuracies of 2 to 98%, by enumeration", "probability"),
        "mean": number("mean coverage over the same", "probability"),
        "at": number("the accuracy where it is least", "1"),
    },
}


class Chosen(Settings):
    """What can be chosen."""

    parts: tuple[Part, ...] = option(tuple(TRIALS), "what is simulated")
    trials: int | None = option(
        None, "experiments a number; none: " + ", ".join(f"{part} {n:,}" for part, n in TRIALS.items()), gt=0
    )
    seeds: tuple[int, ...] = option((0,), "0 is that of the tables in docs; several are averaged")
    only: tuple[str, ...] = option((), "only cases whose name contains one of these")

    def size(self, part: Part) -> int:
        """Experiments a number."""
        return self.trials or TRIALS[part]

    def wants(self, name: str) -> bool:
        """Whether a case is asked for."""
        return not self.only or any(part in name for part in self.only)


QUICK = {"trials": 4, "only": ("mean_interval", "families", "four rates tied", "all problems alike")}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Part by part, seed by seed."""
    for part in settings.parts:
        for seed in settings.seeds:
            yield from MEASURED[part](settings, seed)
    if "evaluations" in settings.parts:
        for n in PROBLEMS:
            for name, rule in EXACT_RULES.items():
                yield Measurement("exact", {"problems": n, "interval": name}, partial(_exact, n, rule))


def _intervals(settings: Chosen, seed: int) -> Iterator[Measurement]:
    trials = settings.size("intervals")
    for case in cases():
        for n in case.sizes if settings.wants(f"{case.interval} {case.data}") else ():
            key = {"interval": case.interval, "data": case.data, "n": n, "seed": seed}
            yield Measurement("intervals", key, partial(_coverage, case, n, trials, seed))
    for n in FAMILY_SEEDS if settings.wants("families") else ():
        yield Measurement("families", {"n": n, "seed": seed}, partial(_family, n, trials, seed))


def _rates(settings: Chosen, seed: int) -> Iterator[Measurement]:
    trials = settings.size("rates")
    for setup in setups():
        for way in WAYS if settings.wants(setup.name) else ():
            for n in RATE_SEEDS:
                key = {"case": setup.name, "shared": setup.shared, "way": way, "n": n, "seed": seed}
                yield Measurement("rates", key, partial(_simulated, way, setup, n, trials, seed))


def _few_seeds(settings: Chosen, seed: int) -> Iterator[Measurement]:
    trials = settings.size("few_seeds")
    for grid in grids() if settings.wants("few seeds") else ():
        for rule in FEW_SEEDS_RULES:
            key = {"n": grid.seeds, "few": grid.few, "shared": grid.shared, "rule": rule, "seed": seed}
            yield Measurement("few_seeds", key, partial(_few_seeds_alarms, grid, rule, trials, seed))


def _evaluations(settings: Chosen, seed: int) -> Iterator[Measurement]:
    trials = settings.size("evaluations")
    sizes = [(problems, samples) for problems in PROBLEMS for samples in SAMPLES]
    for chances in filter(settings.wants, KINDS):
        for problems, samples in sizes:
            for rule in RULES:
                for accuracy in ACCURACIES:
                    key = {"chances": chances, "problems": problems, "samples": samples}
                    key |= {"interval": rule, "accuracy": accuracy, "seed": seed}
                    found = partial(_accuracy, rule, chances, problems, samples, accuracy, trials, seed)
                    yield Measurement("evaluations", key, found)


MEASURED: dict[Part, Callable[[Chosen, int], Iterator[Measurement]]] = {
    "intervals": _intervals,
    "rates": _rates,
    "few_seeds": _few_seeds,
    "evaluations": _evaluations,
}


def _coverage(case: Case, n: int, trials: int, seed: int) -> Row:
    covers, made = coverage(case, n, trials, seed)
    return {"trials": max(1, trials // case.cost), "covers": defined(covers), "made": made}


def _family(n: int, trials: int, seed: int) -> Row:
    plain, holm = (false_alarms(n, trials, correct, seed) for correct in (False, True))
    low, median, high = seeds_told(n, trials, seed)
    return {"alarms": plain, "alarms_holm": holm, "told_low": low, "told_median": median, "told_high": high}


def _simulated(way: str, setup: Setup, n: int, trials: int, seed: int) -> Row:
    found = simulate(WAYS[way], setup.arms, n, trials, shared=setup.shared, skewed=setup.skewed, seed=seed)
    return {name: defined(value) for name, value in found._asdict().items()}


def _few_seeds_alarms(grid: Grid, rule: str, trials: int, seed: int) -> Row:
    return {"alarms": false_verdicts(grid, rule, trials, seed)}


def _accuracy(rule: str, chances: str, problems: int, samples: int, accuracy: float, trials: int, seed: int) -> Row:
    covers, width = coverage_of_accuracy(RULES[rule], KINDS[chances], problems, samples, accuracy, trials, seed)
    return {"covers": covers, "width": width}


def _exact(n: int, rule: Callable[[int], Callable[[int], tuple[float, float]]]) -> Row:
    least, mean, at = exact(n, rule(n))
    return {"least": least, "mean": mean, "at": at}


BENCHMARK = Benchmark("coverage", __doc__, Chosen, QUICK, TABLES, measure, table)
