"""The sweeps of the second edition, and which words start each: docs/decisions/second-edition-plan.md."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.settings import option
from benchmarks.sweeps.runs import SweepSettings
from benchmarks.sweeps.sweep import Sweep, folder_name, last_of_each


class Chosen(SweepSettings):
    """What can be chosen."""

    plan_only: bool = option(False, "print the sum and stop", of_start=True)
    folder: Path = option(Path("outputs/second-edition"), "where the sweeps lie", of_start=True)
    leading: int = option(6, "rows that go on to the other tasks", gt=0)
    long: int = option(4, "of them, rows that go on to 120 batches", gt=0)
    overrides: tuple[str, ...] = option((), "for every run, to rehearse; what a later sweep sets itself comes after")
    rollouts: int = option(1024, "of a fresh reading of a refusal", ge=8)


QUICK = {"plan_only": True, "leading": 1, "long": 1}


FIRST = (  # on arithmetic: every row at four rates and ten seeds
    Sweep("arithmetic", "second_edition", 720, 30),
    Sweep("four passes", "second_edition_four_passes", 160, 30, "rollout.epochs=4 rollout.minibatches=4"),
    Sweep("groups of eight", "second_edition_groups", 40, 30, "rollout.prompts=16 rollout.samples=8"),
    Sweep("refused updates", "second_edition_refuse", 160, 30, "stability.refuse=4"),
)
TASKS = {"addition": 30, "sparse": 60}  # batches
READ = 16  # batches as many rollouts as a refusal's two fresh readings have: the sum counts one refusal a run
EVERYBODYS = 1e-3  # the rate at which the other tasks have every row, besides its own


def runs_of_plan(settings: Chosen) -> list[Sweep]:
    """The sweeps of runs; which rows the later ones have is not known yet."""
    sizes = {task: (settings.leading * 8, settings.leading * 20, batches) for task, batches in TASKS.items()}
    later = [Sweep(f"choice of rates, {task}", "", choice, batches) for task, (choice, _, batches) in sizes.items()]
    later += [Sweep(task, "", jobs, batches) for task, (_, jobs, batches) in sizes.items()]
    return [*FIRST, *later, Sweep("120 batches", "", settings.long * 5, 120)]


def plan(settings: Chosen) -> list[Sweep]:
    """What the sum counts: any row of the later sweeps may have the rule."""
    runs = runs_of_plan(settings)
    with_rule = runs[len(FIRST) - 1 :]
    again = [Sweep(f"{one.name}: refusals read again", "", one.jobs, one.batches + READ) for one in with_rule]
    return [*runs, *again]


def folder_of(settings: Chosen, sweep: Sweep, seed: int) -> Path:
    """A sweep's folder, below that of its preset, or of its own where the preset serves several; a folder a seed."""
    name = folder_name(sweep) if sweep.words else sweep.preset
    return settings.folder / name / str(seed)


def seeds_of(settings: Chosen, sweep: Sweep) -> tuple[int, ...]:
    """Those of the sweep; in a rehearsal those of its overrides."""
    given = dict(word.split("=", 1) for word in settings.overrides).get("seed")
    return sweep.seeds if given is None else tuple(map(int, given.split(",")))


def words_of(settings: Chosen, sweep: Sweep, seed: int) -> list[str]:
    """What follows `tvo train -m` for a seed of a sweep: the preset, overrides for every run, its own, its folder."""
    given = last_of_each((*settings.overrides, *sweep.words, f"seed={seed}"))
    return [f"experiment={sweep.preset}", *given, f"output_dir={folder_of(settings, sweep, seed)}"]
