"""TRL's trainer is watched by our rules, and the noise of its gradient is read from its accumulation steps."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

WITHOUT_TRL = find_spec("trl") is None
needs_trl = pytest.mark.skipif(WITHOUT_TRL, reason="needs TRL")
DEPRECATED = r"ignore:.(is_)?gradient_checkpointing. is deprecated:FutureWarning"  # which TRL 1.16 uses
pytestmark = pytest.mark.filterwarnings(DEPRECATED)


@pytest.mark.skipif(not WITHOUT_TRL, reason="TRL is there")
def test_without_trl_one_line_says_what_to_install() -> None:
    with pytest.raises(ImportError, match=r"needs TRL: pip install 'trl>=1.16'\. .*tvo_cli\.StabilityMonitor"):
        import tvo_cli.integrations.trl  # noqa: F401


SETTINGS: dict[str, Any] = {
    **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "seed": 0},
    **{"per_device_train_batch_size": 4, "gradient_accumulation_steps": 4, "num_generations": 4},
    **{"max_completion_length": 20, "logging_steps": 1, "save_strategy": "no", "report_to": [], "disable_tqdm": True},
}


def trainer_of(folder: Path, callback: Any, reward: Any, steps: int, rate: float) -> Any:
    """TRL's GRPOTrainer on the packaged tiny model: 16 responses a step, in four backward passes."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from tvo_cli.model.loading.policy_loading import load_policy

    node = {"path": "packaged:tiny", "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}
    policy = load_policy(node, device="cpu")
    tokenizer = policy.tokenizer
    tokenizer.padding_side = "left"
    questions = [f"{a} + {b} * {c} - 1 + 3 =" for a in range(4) for b in range(4) for c in range(4)]
    return GRPOTrainer(
        model=policy.network,
        reward_funcs=reward,
        args=GRPOConfig(output_dir=str(folder), max_steps=steps, learning_rate=rate, **SETTINGS),
        train_dataset=Dataset.from_dict({"prompt": questions}),
        processing_class=tokenizer,
        callbacks=[callback],
    )


def even_words(completions: list[str], **_: Any) -> list[float]:
    """A reward that varies from response to response."""
    return [float(len(text) % 2) for text in completions]


class SquaredNorms:
    """‖g‖² of the gradients of each backward pass of a trainer, and of each step, taken at its clipping."""

    def __init__(self, trainer: Any) -> None:
        self.model = trainer.model
        self.parts: list[float] = []
        self.of_steps: list[tuple[float, float]] = []
        self.step, self.clip = trainer.training_step, trainer._clip_grad_norm
        trainer.training_step, trainer._clip_grad_norm = self.counted, self.clipped

    def gradient(self) -> Any:
        import torch

        found = [p.grad.flatten() for p in self.model.parameters() if p.grad is not None]
        return torch.cat(found).double() if found else 0.0

    def counted(self, *arguments: Any, **keywords: Any) -> Any:
        before = self.gradient()
        loss = self.step(*arguments, **keywords)
        self.parts.append(float(((self.gradient() - before) ** 2).sum()))
        return loss

    def clipped(self, *arguments: Any, **keywords: Any) -> Any:
        self.of_steps.append((sum(self.parts), float((self.gradient() ** 2).sum())))
        self.parts.clear()
        return self.clip(*arguments, **keywords)


@needs_trl
@pytest.mark.slow
def test_the_noise_of_trls_gradient_is_that_of_its_own_parts(tmp_path: Path) -> None:
    from tvo_cli.integrations.trl import StabilityCallback

    trainer = trainer_of(tmp_path, StabilityCallback(), even_words, steps=3, rate=1e-4)
    norms = SquaredNorms(trainer)
    trainer.train()
    trainer.save_state()

    rows = json.loads((tmp_path / "trainer_state.json").read_text())["log_history"]
    told = [row["gradient/variance"] for row in rows if "gradient/variance" in row]
    slow = [max(4 / 3 * (squares - total / 4), 0.0) for squares, total in norms.of_steps]  # tr Cov, docs/metrics.md
    assert told == pytest.approx(slow, rel=1e-3) and min(told) > 0.0
    assert {"gradient/noise_scale", "gradient/signal_resolved"} <= set(rows[0])


@needs_trl
@pytest.mark.slow
def test_a_run_of_trl_that_goes_wrong_is_stopped_and_saved(tmp_path: Path) -> None:
    from tvo_cli.integrations.trl import StabilityCallback

    def half_right(completions: list[str], **_: Any) -> list[float]:
        return [0.5 * reward for reward in even_words(completions)]  # never solved: one answer for all is no success

    callback = StabilityCallback("save_and_stop")
    trainer = trainer_of(tmp_path, callback, half_right, steps=30, rate=1e-2)  # a hundred times too fast
    trainer.train()
    assert callback.monitor.collapsed
    assert 5 <= trainer.state.global_step < 30
    assert list(tmp_path.glob("checkpoint-*"))


@needs_trl
@pytest.mark.slow
def test_a_healthy_run_of_trl_is_left_alone(tmp_path: Path) -> None:
    from tvo_cli.integrations.trl import StabilityCallback

    callback = StabilityCallback("stop")
    trainer = trainer_of(tmp_path, callback, even_words, steps=6, rate=1e-5)
    trainer.train()
    assert trainer.state.global_step == 6 and not callback.monitor.collapsed
    assert (callback.monitor.facts.prompts, callback.monitor.facts.samples) == (4, 4)
