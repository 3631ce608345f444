"""The gradient's variance by how 128 rollouts are shared out: 16 × 8, 64 × 2 and 128 × 1, at stages of a run.

    python -m benchmarks.group_size --repeats 5      resumable; the policy of the stages is trained first

`tvo variance`, on-policy, full gradients. With a baseline from outside the group (λ = 1: the mean of the other prompts)
theory has tr Cov = (B·G + W)/N (docs/tvo.md, 7A): the two forms of 16 × 8 and 64 × 2 with λ = 1 and with the shrunk
baseline stand beside 128 × 1, where they are one. Each repeat is a seed of its own, with problems of its own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.record import Record, Row, group, number, text
from benchmarks.harness.settings import Settings, option
from tvo_cli.stats import mean_interval

SHAPES = {"16 × 8": (16, 8), "64 × 2": (64, 2), "128 × 1": (128, 1)}
OTHERS = (
    "algorithm.estimator.between=0.0",
    "algorithm.estimator.decay=0.999999",
)  # λ = 1 within 1e-5, whatever the batches say
QUIET = ("logger=none", "evaluation=off", "stability=off", "recorder=off", "trainer.threads=1", "logger.console=off")
TABLES = {
    "variances": {
        "stage": number("of the run that trained the policy", "batches"),
        "shape": text("prompts × responses a prompt"),
        "baseline": text("GRPO's group mean, the shrunk one, or that of the other prompts alone"),
        "seed": number("of problems and responses", "1"),
        "trace": number("tr Cov of a batch's gradient", "reward²"),
        "projection": number("on the true gradient; 1 is without bias along it", "1"),
        "bias": number("|E ĝ − g|² over |g|²", "1"),
        "bias_error": number("the size of its own noise", "1"),
        "reward": number("mean reward of the batches", "reward"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    stages: tuple[int, ...] = option((0, 10, 30), "batches of training behind the policy", min_length=1)
    algorithm: str = option("tvo_2025", "that trains the policy of the stages")
    repeats: int = option(5, "measurements of each estimator, each with a seed of its own", gt=1)
    batches: int = option(12, "of a measurement", gt=1)
    true_batches: int = option(40, "of the true gradient, which all estimators of a seed are held against", gt=1)
    warm_up: int = option(3, "batches in which β and the shrinkage learn first", ge=0)
    first_seed: int = option(200, "of the repeats")


QUICK = {"stages": (0, 1), "repeats": 2, "batches": 2, "true_batches": 4, "warm_up": 1}


def estimators() -> dict[tuple[str, str], str]:
    """What `tvo variance` is asked for, by shape and baseline; the first is GRPO's own."""
    found = {("16 × 8", "group"): "grpo"}
    for shape, (prompts, samples) in SHAPES.items():
        sizes = f"rollout.prompts={prompts} rollout.samples={samples}"
        found |= {(shape, "shrunk"): f"grpo_shrunk_cv {sizes}"} if samples > 1 else {}
        found[shape, "others"] = f"grpo_shrunk_cv {sizes} {' '.join(OTHERS)}"
    return found


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Stage by stage and seed by seed; all estimators of a seed share its true gradient."""
    for stage in settings.stages:
        for seed in range(settings.first_seed, settings.first_seed + settings.repeats):
            key = {"stage": stage, "seed": seed}
            yield Measurement("variances", key, partial(_variances, settings, stage, seed))


def _variances(settings: Chosen, stage: int, seed: int) -> list[Row]:
    from tvo_cli import config
    from tvo_cli.experiment import variance

    asked = estimators()
    words = [f"seed={seed}", f"batches={settings.batches}", f"true_batches={settings.true_batches}"]
    words += [f"warm_up={settings.warm_up}", f"output_dir={FOLDER / 'group_size' / f'{stage}-{seed}'}"]
    chosen = config.compose([*words, *_policy(settings, stage)], "variance")
    chosen.estimators = list(asked.values())
    rows = variance(chosen, lambda done, total: None)
    return [_row(shape, baseline, row) for (shape, baseline), row in zip(asked, rows, strict=True)]


def _row(shape: str, baseline: str, found: dict[str, Any]) -> Row:
    kept = ("trace", "projection", "bias", "bias_error", "reward")
    return {"shape": shape, "baseline": baseline} | {name: float(found[name]) for name in kept}


def _policy(settings: Chosen, batches: int) -> list[str]:
    """The override that names the policy after so many batches; of none, the start."""
    if not batches:
        return []
    folder = FOLDER / "group_size" / f"{settings.algorithm}-{max(settings.stages)}"
    if not (folder / "summary.json").is_file():
        _train(settings, folder)
    return [f"model.path={folder / 'checkpoints' / f'step-{batches:06d}' / 'policy'}"]


def _train(settings: Chosen, folder: Path) -> None:
    """One run, with a checkpoint at each stage; begun before, it goes on."""
    from tvo_cli import config
    from tvo_cli.experiment import train

    every = math.gcd(*settings.stages)
    kept = (f"trainer.steps={max(settings.stages)}", f"trainer.checkpoint_every={every}", "trainer.keep=99")
    train(config.compose([f"algorithm={settings.algorithm}", "seed=100", *kept, *QUIET, f"output_dir={folder}"]))


def table(record: Record) -> str:
    """Means over the seeds with 95% t intervals; ratios by seed to 128 × 1 and, whatever the scale, to GRPO's."""
    found = group(record.rows("variances"), *KEYS)
    rows = [_line(stage, shape, baseline, one, record) for (stage, shape, baseline), one in found.items()]
    heading = [*KEYS, "tr Cov", "over 128 × 1", "theory", "projection", "bias²", "of GRPO's, rescaled"]
    return markdown.table(heading, rows)


KEYS = ("stage", "shape", "baseline")


def _line(stage: int, shape: str, baseline: str, rows: list[Row], record: Record) -> list[str]:
    single = {row["seed"]: row["trace"] for row in _of(record, stage, "128 × 1", "others")}
    theory = f"{predicted_ratio(record, stage, SHAPES[shape][1]):.2f}" if baseline == "others" else ""
    return [
        str(stage),
        shape,
        baseline,
        _interval([row["trace"] for row in rows]),
        _interval([row["trace"] / single[row["seed"]] for row in rows]) if shape != "128 × 1" else "1",
        theory,
        _interval([row["projection"] for row in rows]),
        _interval([row["bias"] for row in rows]),
        _of_grpo(rows, _of(record, stage, "16 × 8", "group")),
    ]


def _of_grpo(rows: list[Row], grpo: list[Row]) -> str:
    """tr Cov/projection² over GRPO's, by seed, where the true gradient's own error cancels; a geometric mean."""
    if rows == grpo:
        return "1"
    theirs = {row["seed"]: math.log(row["trace"] / row["projection"] ** 2) for row in grpo}
    ratios = [math.log(row["trace"] / row["projection"] ** 2) - theirs[row["seed"]] for row in rows]
    found = mean_interval(ratios)
    return f"{math.exp(found.mean):.2f} [{math.exp(found.low):.2f}, {math.exp(found.high):.2f}]"


def predicted_ratio(record: Record, stage: int, samples: int) -> float:
    """(B·G + W)/(B + W), with B and W from the two other shapes: what theory says of the one that is left out."""
    means = {
        size: statistics.fmean(row["trace"] for row in _of(record, stage, shape, "others"))
        for shape, (_, size) in SHAPES.items()
    }
    known = [size for size in means if size != samples] if samples > 1 else [2, 8]
    quenched, thermal = np.linalg.solve([[size, 1] for size in known], [means[size] for size in known])
    return float((quenched * samples + thermal) / means[1])


def _of(record: Record, stage: int, shape: str, baseline: str) -> list[Row]:
    wanted = (stage, shape, baseline)
    return [row for row in record.rows("variances") if tuple(row[name] for name in KEYS) == wanted]


def _interval(values: list[float]) -> str:
    found = mean_interval(values)
    return f"{found.mean:.3g} [{found.low:.3g}, {found.high:.3g}]"


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(100,))

if __name__ == "__main__":
    BENCHMARK.main()
