"""Which precision `auto` means, asked by kind of device: no GPU is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState

from tests.training.conftest import Runs
from tvo_cli.model.critic import Critic
from tvo_cli.model.precision_choice import REAL_SIZE, allows_tf32, choose_precision, describe_precision
from tvo_cli.training.device_and_precision import set_product_precision, set_up_runtime
from tvo_cli.training.learner import CriticLearner
from tvo_cli.types import Rollout


@pytest.fixture
def another_precision() -> Iterator[None]:
    """Accelerate keeps one precision a process."""
    AcceleratorState._reset_state()
    yield
    AcceleratorState._reset_state()


@pytest.mark.parametrize(
    ("kind", "dtype", "parameters", "bfloat16", "expected"),
    [
        ("cuda", "float32", 1_543_714_304, True, "bfloat16"),
        ("cuda", "float32", 134_515_008, True, "bfloat16"),  # SmolLM2
        ("cuda", "float32", REAL_SIZE, True, "bfloat16"),
        ("cuda", "float32", REAL_SIZE - 1, True, "float32"),  # the embedded models say the same on every device
        ("cuda", "float32", 1_543_714_304, False, "float32"),  # a GPU without such products, which would emulate them
        ("cpu", "float32", 1_543_714_304, True, "float32"),
        ("mps", "float32", 1_543_714_304, False, "float32"),
        ("cpu", "bfloat16", 100, False, "bfloat16"),  # weights in bfloat16 compute in it anywhere
    ],
)
def test_a_model_of_real_size_computes_in_bfloat16_on_cuda(
    kind: str, dtype: str, parameters: int, bfloat16: bool, expected: str
) -> None:
    assert choose_precision(kind, dtype, parameters, bfloat16=bfloat16) == expected


def test_tf32_goes_with_bfloat16_on_cuda_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", said.append)
    for kind, precision in (("cuda", "bfloat16"), ("cuda", "float32"), ("cpu", "bfloat16")):
        set_product_precision(kind, precision)
    assert said == ["high", "highest"], "a CPU's products are left to rollout/onednn.py"
    assert allows_tf32("cuda", "bfloat16") and not allows_tf32("cuda", "float32")


def test_the_choice_is_told_with_its_reason() -> None:
    assert describe_precision("cuda", "bfloat16", 1_543_714_304) == (
        "bfloat16 forward and backward over float32 weights, TF32 for products that stay in float32 "
        "(cuda, 1,543,714,304 parameters)"
    )
    assert describe_precision("cuda", "float32", 99_000) == "float32 (cuda, 99,000 parameters)"


def test_an_explicit_precision_that_is_none_is_refused() -> None:
    from tvo_cli.errors import UserError

    with pytest.raises(UserError, match=r"trainer\.precision=float16"):
        set_up_runtime("cpu", "float16", "float32", 1, False)


@pytest.mark.usefixtures("another_precision")
def test_the_critic_computes_in_the_precision_of_the_policy(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its forwards for the first values and for its own step alike; the values themselves stay float32."""
    seen: list[tuple[bool, torch.dtype]] = []
    values = Critic.values

    def watched(self: Critic, *columns: Any) -> torch.Tensor:
        found = values(self, *columns)
        seen.append((torch.is_autocast_enabled("cpu"), found.dtype))
        return found

    monkeypatch.setattr(Critic, "values", watched)
    run("a", "algorithm=ppo", "trainer.precision=bfloat16", "trainer.steps=1", "trainer.variance_parts=1")
    assert len(seen) > 2 and set(seen) == {(True, torch.float32)}


def test_the_critics_first_values_take_no_more_rows_at_once_than_an_update(
    run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    values = CriticLearner.values

    def watched(self: CriticLearner, rollout: Rollout, part: torch.Tensor) -> torch.Tensor:
        rows.append(len(part))
        return values(self, rollout, part)

    monkeypatch.setattr(CriticLearner, "values", watched)
    run("a", "algorithm=ppo", "trainer.steps=1")
    assert max(rows) == 8, "16 responses in 2 minibatches"
    rows.clear()
    run("b", "algorithm=ppo", "trainer.steps=1", "trainer.microbatch_rows=4")
    assert max(rows) == 4
