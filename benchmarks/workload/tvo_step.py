"""Our side of benchmarks.step: `tvo train` on one of the works, timed step by step; prints one JSON line.

The whole product runs: grading of every response, metrics.jsonl, the console's lines, the collapse rules, and the
gradient-variance reading of every step. The flight recorder, which holds a copy of weights and optimiser in memory, is
off. Only the grader's reward, which is 0 for every response of a random model, is replaced by the number that the
peer is given too.
"""

from __future__ import annotations

import json
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.workload import side
from benchmarks.workload.forced_lengths import force_lengths
from benchmarks.workload.stopwatch import Stopwatch, memory, resident
from benchmarks.workload.work import Work, end_token, lengths, reward

WORDS = (
    *("model=custom", "model.gradient_checkpointing=false", "dataset=jsonl", "dataset.suffix=''", "dataset.holdout=1"),
    *("algorithm=grpo", "optimizer.lr=1e-6", "stability.reference=false", "evaluation=off", "logger=none"),
    *("logger.console=plain", "trainer.checkpoint_every=0", "trainer.threads=1", "reward.workers=1", "resume=never"),
    *("rollout.minibatches=1", "rollout.temperature=1", "recorder=off"),
    "trainer.precision=float32",  # as TRL's side; auto is bfloat16 on a CPU with AMX
)


def command(work: Work, folder: Path, steps: int, more: list[str]) -> list[str]:
    """The command line of the run."""
    sizes = [f"rollout.prompts={work.prompts}", f"rollout.samples={work.samples}", f"rollout.epochs={work.epochs}"]
    sizes += [f"rollout.max_tokens={work.new_tokens}", f"trainer.steps={steps}"]
    return [*WORDS, *sizes, f"model.path={folder / 'model'}", f"dataset.path={folder / 'problems.jsonl'}", *more]


def run(
    work: Work, folder: Path, *, steps: int, warm_up: int, clock: str, words: list[str], operations: bool = False
) -> dict[str, Any]:
    """Train and measure."""
    begun = time.perf_counter()
    from tvo_cli import config, experiment

    imported = time.perf_counter() - begun
    stopwatch = side.stopwatch(work, clock, steps + warm_up, operations)
    base: list[float] = []
    _watch(stopwatch, base)
    if work.shortest:
        _skew(work)
    with tempfile.TemporaryDirectory() as place:
        experiment.train(config.compose([*command(work, folder, steps + warm_up, words), f"output_dir={place}"]))
        rows = [json.loads(line) for line in (Path(place) / "metrics.jsonl").read_text().splitlines()]
    found = {"side": "tvo", "rows": stopwatch.rows[warm_up:], "import_s": imported} | memory(base[0])
    read = ("policy/mismatch", "policy/mismatch_max", "gradient/norm", "gradient/variance", "reward/mean")
    found |= side.profiled(stopwatch)
    return found | {"readings": {name: rows[-1][name] for name in read if name in rows[-1]}}


def _watch(stopwatch: Stopwatch, base: list[float]) -> None:
    """Time the product's own functions."""
    collecting: Any = import_module("tvo_cli.training.rollout_collection.collect_rollouts")
    assembling: Any = import_module("tvo_cli.training.rollout_collection.assemble_batch")
    loop: Any = import_module("tvo_cli.training.training_loop")
    scored = assembling._score_rollout

    def score_old(session: Any, policy: Any, rollout: Any) -> Any:
        timed = scored if policy is None else stopwatch.wrapped("log_probs", scored)
        return timed(session, policy, rollout)

    assembling._score_rollout = score_old
    collecting.sample_responses = stopwatch.wrapped("generation", collecting.sample_responses)
    collecting.grade_responses = stopwatch.wrapped("reward", collecting.grade_responses)
    loop.update_policy = stopwatch.wrapped("update", loop.update_policy)
    loop.train_step = _timed_step(loop.train_step, stopwatch, base)


def _timed_step(train_step: Any, stopwatch: Stopwatch, base: list[float]) -> Any:
    """The first step tells the session, whose functions are wrapped then."""

    def prepare(session: Any) -> None:
        base.append(resident())
        session.learner.optimizer.step = stopwatch.wrapped("optimizer", session.learner.optimizer.step)
        session.rewards = _Rewards(session.rewards)
        stopwatch.begin()

    def step(session: Any, interrupted: Any) -> Any:
        if not base:
            prepare(session)
        before = session.counters.tokens
        action = train_step(session, interrupted)
        stopwatch.end_step(tokens=session.counters.tokens - before)
        return action

    return step


class _Rewards:
    """The product's rewards are worked out and then replaced."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def score(self, verdicts: Any, texts: Any, *rest: Any) -> list[float]:
        self._real.score(verdicts, texts, *rest)
        return [reward(text) for text in texts]


def _skew(work: Work) -> None:
    """Give every response of a rollout its length; a rollout draws all its uniform numbers at once."""
    calls = iter(range(1 << 30))
    force_lengths(lambda rows: lengths(work, next(calls))[: len(rows)], {end_token(work)})


def main() -> None:
    """Our side, with further overrides of the run."""
    parser = side.command_line()
    parser.add_argument("words", nargs="*", help="further overrides of the run")
    side.main(parser, run)


if __name__ == "__main__":
    main()
