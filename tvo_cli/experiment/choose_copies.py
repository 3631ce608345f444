"""Which copies of the model a run keeps, the frozen reference and the flight recorder's, as its config asks."""

from __future__ import annotations

from collections.abc import Iterator

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.memory.optional_copies import CopyChoice, choose_recorder, choose_reference, readers_of_reference
from tvo_cli.memory.state_size import optimizer_bytes_per_parameter, tensor_bytes
from tvo_cli.model import Policy
from tvo_cli.training.learner import Algorithm, Learner
from tvo_cli.training.run_settings import RecorderSettings


def choose_reference_of_run(config: DictConfig, algorithm: Algorithm, policy: Policy) -> CopyChoice:
    """Whether a run keeps the frozen reference."""
    return choose_reference(
        config.stability.reference,
        required=algorithm.estimator.needs_reference or algorithm.objective.needs_reference,
        named=readers_of_reference(config),
        copy_bytes=tensor_bytes(p for p in policy.parameters() if p.requires_grad),  # frozen ones are shared
    )


def recorder_settings(config: DictConfig, learner: Learner) -> RecorderSettings:
    """What the flight recorder keeps."""
    node = config.recorder
    collapse, nonfinite = (choice.kept for choice in _recorder_choices(config, learner))
    return RecorderSettings(tuple(node.steps), collapse, nonfinite, int(node.keep))


def copies_left_out(config: DictConfig, learner: Learner) -> Iterator[str]:
    """Yield a line for each copy that `auto` leaves out."""
    reference = choose_reference_of_run(config, learner.algorithm, learner.policy)
    recorder = _recorder_choices(config, learner)[0]
    if not reference.kept and config.stability.reference == "auto":
        yield f"no KL reference: {reference.reason}"
    if not recorder.kept and config.recorder.on_collapse == "auto":
        yield f"no flight recorder: {recorder.reason}"


def _recorder_choices(config: DictConfig, learner: Learner) -> list[CopyChoice]:
    node, size = config.recorder, _bytes_of_snapshot(config, learner)
    return [choose_recorder(node[key], f"recorder.{key}", size) for key in ("on_collapse", "on_nonfinite")]


def _bytes_of_snapshot(config: DictConfig, learner: Learner) -> float:
    """Bytes of trained weights and optimiser state, the critic's too: what a snapshot copies."""
    critic = [] if learner.critic is None else list(learner.critic.critic.parameters())
    trained = [p for p in (*learner.parameters, *critic) if p.requires_grad]
    make = configuration.build(config.optimizer.make)
    kept = {dtype: optimizer_bytes_per_parameter(make, dtype) for dtype in {p.dtype for p in trained}}
    return tensor_bytes(trained) + sum(kept[p.dtype] * p.numel() for p in trained)
