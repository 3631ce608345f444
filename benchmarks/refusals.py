"""What stability.refuse does, and whether it is right: refusals, batches lost, each refusal read again, final accuracy.

    python -m benchmarks.refusals --cases tvo_2025@3e-4 grpo-4x4@1e-3 --seeds 1 4

Every case is trained with the rule and without it. At each refusal the policy after the refused update and the one that
comes back are read on --rollouts fresh rollouts each, to training problems that the run does not see in that step; so
are the start and the policy after the first update. A refusal is confirmed where the later policy is worse by two
standard errors. Without the rule its readings are logged all the same, and nothing is taken back: `falls` are batches
at which the fast test would have refused.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.harness import markdown
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.record import Record, Row, flag, number, numbers, text
from benchmarks.harness.settings import Settings, option
from tvo_cli import config, data
from tvo_cli.experiment import train
from tvo_cli.maths.permutation_test import score_z
from tvo_cli.training import refused_updates, training_loop
from tvo_cli.training.rollout_collection import collect_rollouts
from tvo_cli.training.rollout_collection.grade_responses import grade_responses
from tvo_cli.training.session import Session

QUIET = ("logger=none", "logger.console=off", "trainer.threads=1", "trainer.checkpoint_every=0", "recorder=off")
FOUR_PASSES = ("rollout.epochs=4", "rollout.minibatches=4")
CONFIRMED = 2.0  # standard errors of two fresh readings
TABLES = {
    "runs": {
        "case": text("recipe, passes where they are not its own, learning rate"),
        "seed": number("of the run", "1"),
        "rule": flag("whether updates are refused"),
        "steps": numbers("each refusal: the step whose update was taken back", "1"),
        "tests": number("of the refusals, those of the slow test", "1"),
        "lost": number("batches without a trace in the policy", "1"),
        "falls": number("batches whose reading met the limit of the fast test", "1"),
        "before": numbers("each refusal: accuracy of the policy that came back, fresh", "share"),
        "after": numbers("each refusal: accuracy of the policy that was refused, fresh", "share"),
        "z": numbers("each refusal: the fall between the two, fresh", "standard errors"),
        "first": numbers("fresh accuracy of the start, and after the first update", "share"),
        "final": number("pass@1 on held-out problems at the end", "share"),
        "verdict": text("of the collapse rules"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    cases: tuple[str, ...] = option(("tvo_2025@3e-4", "grpo-4x4@1e-3"), "RECIPE[-4x4]@RATE", min_length=1)
    seeds: tuple[int, ...] = option((1, 4), "of the runs", min_length=1)
    steps: int = option(30, "batches a run", gt=1)
    rollouts: int = option(1024, "of a fresh reading", ge=8)
    refuse: float = option(4.0, "stability.refuse of the runs with the rule", gt=0)


QUICK = {"cases": ("grpo-4x4@1e-2",), "seeds": (1,), "steps": 2, "rollouts": 8, "refuse": 1.0}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Each case with and without the rule."""
    torch.set_num_threads(1)
    for seed in settings.seeds:
        for case in settings.cases:
            for rule in (False, True):
                key = {"case": case, "seed": seed, "rule": rule}
                yield Measurement("runs", key, partial(_run, settings, case, seed, rule))


def _run(settings: Chosen, case: str, seed: int, rule: bool) -> Row:
    recipe, _, rate = case.partition("@")
    name, passes = recipe.removesuffix("-4x4"), FOUR_PASSES if recipe.endswith("-4x4") else ()
    words = (f"algorithm={name}", f"optimizer.lr={rate}", f"seed={seed}", f"trainer.steps={settings.steps}", *passes)
    with _read_first_update(settings.rollouts) as first, _acting(rule):
        read = read_refusals_again((*words, f"stability.refuse={settings.refuse}"), settings.rollouts)
    return read | {"first": first}


def read_refusals_again(words: Sequence[str], rollouts: int) -> Row:
    """Train as the overrides say, in a folder that is thrown away; each refusal read on so many fresh rollouts."""
    with tempfile.TemporaryDirectory() as place, _read_again(rollouts) as read:
        chosen = config.compose([*words, *QUIET, f"output_dir={place}/run"])
        train(chosen)
        return read | _outcome(Path(place) / "run", float(chosen.stability.refuse))


def confirmed(row: Row) -> int:
    """How many of a run's refusals the fresh readings confirm."""
    return sum(z >= CONFIRMED for z in row["z"])


@contextmanager
def _acting(rule: bool) -> Iterator[None]:
    """Let the rule act, or have it read and accept every batch."""
    with nullcontext() if rule else patch.object(refused_updates, "_refusal", lambda *_: None):
        yield


def _outcome(folder: Path, limit: float) -> Row:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found = json.loads((folder / "collapse.json").read_text())
    final = [row["eval/pass@1"] for row in rows if "eval/pass@1" in row]
    return {
        "steps": [one["step"] for one in found["refusals"]],
        "tests": sum(one["test"] == refused_updates.DRIFT for one in found["refusals"]),
        "lost": found["batches_lost"],
        "falls": sum(row.get("stability/free_energy_z", 0.0) >= limit for row in rows),
        "final": final[-1],
        "verdict": found["verdict"],
    }


@contextmanager
def _read_again(rollouts: int) -> Iterator[Row]:
    """Have a run read its policies on fresh rollouts where it refuses one."""
    found: dict[str, list[float]] = {"before": [], "after": [], "z": []}
    take_back = refused_updates.take_updates_back

    def taking_back(session: Session, refusal: Any) -> None:
        after = _fresh_accuracy(session, rollouts)
        take_back(session, refusal)
        before = _fresh_accuracy(session, rollouts)
        found["before"].append(float(before.mean()))
        found["after"].append(float(after.mean()))
        found["z"].append(score_z(before, after))

    with patch.object(refused_updates, "take_updates_back", taking_back):
        yield found


@contextmanager
def _read_first_update(rollouts: int) -> Iterator[list[float]]:
    """Have a run read the start, and the policy after its first update, on fresh rollouts."""
    found: list[float] = []
    start = training_loop.start_step

    def starting(session: Session) -> Any:
        if session.counters.step < 2:
            found.append(float(_fresh_accuracy(session, rollouts).mean()))
        return start(session)

    with patch.object(training_loop, "start_step", starting):
        yield found


def _fresh_accuracy(session: Session, rollouts: int) -> torch.Tensor:
    """Accuracy of the present policy by prompts, [P], on problems of another order than the run's."""
    samples = session.sampling.samples
    cursor = data.build_cursor(
        session.cursor.problems, session.seed + 10_000, config.compose(["curriculum=none"]).curriculum
    )
    problems = cursor.take(-(-rollouts // samples), session.counters.step)
    kept = dict(session.grader.counts)
    rollout = collect_rollouts.sample_responses(session, problems, number=1 + session.counters.refused)
    verdicts, _ = grade_responses(session, problems, rollout)
    session.grader.counts.clear()
    session.grader.counts.update(kept)
    right = torch.tensor([verdict.correct for verdict in verdicts], dtype=torch.float64)
    return torch.zeros(len(problems), dtype=torch.float64).index_add_(0, rollout.group.cpu(), right) / samples


def table(record: Record) -> str:
    """A row a run; what the refusals came to stands beside the accuracy without them."""
    lines = []
    for row in record.rows("runs"):
        pairs = ", ".join(f"{b:.2f} → {a:.2f}" for b, a in zip(row["before"], row["after"], strict=True))
        refused = f"{confirmed(row)} of {len(row['z'])}" if row["rule"] else ""
        first = " → ".join(f"{one:.3f}" for one in row["first"])
        numbers_of_row = [str(len(row["steps"])), str(row["tests"]), str(row["lost"]), str(row["falls"])]
        head = [row["case"], str(row["seed"]), "with" if row["rule"] else "without"]
        lines.append([*head, f"{row['final']:.3f}", row["verdict"], *numbers_of_row, refused, pairs, first])
    names = ("case", "seed", "rule", "final pass@1", "verdict", "refusals", "of them slow", "batches lost", "falls")
    return markdown.table([*names, "confirmed", "came back → refused, fresh", "fresh, start → after step 1"], lines)


BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, seeds=(0,))

if __name__ == "__main__":
    BENCHMARK.main()
