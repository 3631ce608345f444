"""A callback for TRL's trainers: the rules of `tvo diagnose` while it trains, and the noise of its gradient.

from tvo_cli.integrations.trl import StabilityCallback
trainer = GRPOTrainer(..., callbacks=[StabilityCallback(on_collapse="stop")])
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from tvo_cli.diagnosis.finding import CRITICAL
from tvo_cli.diagnosis.stability_monitor import StabilityMonitor
from tvo_cli.errors import UserError
from tvo_cli.integrations.accumulation_noise import AccumulationNoise

if find_spec("trl") is None:
    raise ImportError(
        "tvo_cli.integrations.trl needs TRL: pip install 'trl>=1.16'. "
        "For any other loop: tvo_cli.StabilityMonitor (docs/python.md)",
        name="trl",
    )

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

log = logging.getLogger("tvo")
ON_COLLAPSE = ("warn", "save", "stop", "save_and_stop")


class StabilityCallback(TrainerCallback):
    """Watches a trainer of TRL; at a critical failure it warns, saves a checkpoint, stops, or does both.

    The gradient's variance and noise scale stand in trainer_state.json beside TRL's own metrics: `gradient/variance`,
    `gradient/noise_scale`, in responses; docs/metrics.md has the formulas.
    """

    def __init__(
        self,
        on_collapse: str = "warn",
        *,
        gradient_noise: bool = True,
        alerts: Mapping[str, Any] | None = None,
    ) -> None:
        """Choose what a critical failure leads to.

        Args:
            on_collapse: warn, save, stop or save_and_stop.
            gradient_noise: read it where a step accumulates at least two backward passes.
            alerts: who is told, with the keys of `logger.alerts` (docs/alerts.md).
        """
        if on_collapse not in ON_COLLAPSE:
            raise UserError("on_collapse", on_collapse, "there is no such answer.", f"Take {', '.join(ON_COLLAPSE)}.")
        self.on_collapse, self.gradient_noise, self._alerts = on_collapse, gradient_noise, alerts
        self.monitor = StabilityMonitor(tool="trl", alerts=alerts)
        self._noise: AccumulationNoise | None = None
        self._readings: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **parts: Any
    ) -> None:
        """Learn what the run is, and watch the model's gradients."""
        samples = getattr(args, "num_generations", None)
        responses = getattr(args, "generation_batch_size", None) or _responses_of_step(args) * args.world_size
        self.monitor = StabilityMonitor(
            planned=state.max_steps or None,
            samples=samples,
            prompts=responses // samples if samples else None,
            clip_norm=args.max_grad_norm or None,
            tool="trl",
            name=str(args.run_name or args.output_dir),
            alerts=self._alerts,
        )
        model = parts.get("model")
        if self.gradient_noise and model is not None and self._can_read_noise(args):
            self._noise = AccumulationNoise(model.parameters())
            self._noise.attach()

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """A new sum of gradients begins."""
        if self._noise is not None:
            self._noise.begin_step()

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        """One backward pass of several is over."""
        if self._noise is not None:
            self._noise.end_part()

    def on_pre_optimizer_step(self, args: TrainingArguments, *_: Any, **__: Any) -> None:
        """The last backward pass is over, and the gradients have been clipped; the hooks saw them before that."""
        if self._noise is not None:
            self._readings = self._noise.end_step(_responses_of_step(args))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> TrainerControl:
        """Show the step to the rules, and do what a critical failure asks for."""
        readings = self._readings if "loss" in (logs or {}) else {}
        if readings and state.log_history:
            state.log_history[-1].update(readings)
            self._readings = {}
        begun = self.monitor.log(int(state.global_step), {**(logs or {}), **readings})
        if any(finding.severity == CRITICAL for finding in begun):
            control.should_save |= self.on_collapse in ("save", "save_and_stop")
            control.should_training_stop |= self.on_collapse in ("stop", "save_and_stop")
        return control

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Let go of the model; wait for alerts, at most their deadline."""
        if self._noise is not None:
            self._noise.detach()
            self._noise = None
        self.monitor.close()

    def _can_read_noise(self, args: TrainingArguments) -> bool:
        sharded = bool(getattr(args, "deepspeed", None)) or bool(getattr(args, "fsdp", None))
        if args.gradient_accumulation_steps > 1 and not sharded:
            return True
        reason = "the gradients are sharded" if sharded else "gradient_accumulation_steps=1: one pass has no variance"
        log.info("the gradient's noise is not read: %s", reason)
        return False


def _responses_of_step(args: TrainingArguments) -> int:
    """Responses in one optimiser step of TRL's trainer in this process."""
    return int(args.per_device_train_batch_size) * int(args.gradient_accumulation_steps)
