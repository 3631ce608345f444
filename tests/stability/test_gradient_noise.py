from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.utils.checkpoint import checkpoint

from tests.gradients import gradient, gradients
from tvo_cli.stability.gradient_noise import (
    UNRESOLVED,
    GradientNoiseReading,
    GradientNoiseSmoother,
    MicroBatchVariance,
    gradient_log_fluctuation,
    part_gradient_norm,
)

D = 5  # dimension of the linear model
TRUE_GRADIENT = torch.tensor([0.3, -0.2, 0.1, 0.0, 0.4], dtype=torch.float64)  # ‖g‖² = 0.30
SPREAD = torch.tensor([1.0, 0.5, 2.0, 0.1, 0.4], dtype=torch.float64)  # tr Σ = 1 + .25 + 4 + .01 + .16 = 5.42


def _read(weight: Tensor, samples: Tensor, parts: int, total: int | None = None) -> GradientNoiseReading:
    """The reading of the loss mean_i x_i·w, cut into equal parts: sample i's gradient is x_i."""
    weight.grad = None
    reading = MicroBatchVariance([weight])
    for chunk in samples.chunk(parts):
        with reading.part():
            (chunk @ weight / len(samples)).sum().backward()
    assert weight.grad is not None
    square = float(weight.grad.square().sum())
    return reading.result(square, rollouts=len(samples), total_rollouts=total or len(samples))


def _draws(count: int, rows: int, parts: int, total: int | None = None) -> list[GradientNoiseReading]:
    rng = torch.Generator().manual_seed(7)
    weight = torch.zeros(D, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(count, rows, D, generator=rng, dtype=torch.float64)
    return [_read(weight, TRUE_GRADIENT + SPREAD * one, parts, total) for one in noise]


def _within(values: list[float], expected: float, errors: float = 4.0) -> bool:
    return abs(statistics.fmean(values) - expected) < errors * statistics.stdev(values) / math.sqrt(len(values))


@pytest.mark.parametrize("parts", [2, 4, pytest.param(16, marks=pytest.mark.slow)])
def test_unbiased_for_gaussian_gradients_whatever_the_number_of_parts(parts: int) -> None:
    readings = _draws(count=600, rows=16, parts=parts)
    assert _within([r.variance for r in readings], 5.42 / 16)
    assert _within([r.signal for r in readings], 0.30)


@pytest.mark.slow
def test_the_biased_formulas_would_be_noticed() -> None:
    """Negative control: without n/(n−1), and without debiasing the signal, the same test refuses."""
    readings = _draws(count=600, rows=16, parts=4)
    assert not _within([r.variance * 3 / 4 for r in readings], 5.42 / 16)
    assert not _within([r.norm_squared for r in readings], 0.30)


def test_variance_is_that_of_the_whole_rollout_batch() -> None:
    """A minibatch of 16 out of 64 responses: the mean over 64 has a quarter of its variance."""
    readings = _draws(count=300, rows=16, parts=4, total=64)
    assert _within([r.variance for r in readings], 5.42 / 64)


@pytest.mark.slow
def test_noise_scale_does_not_depend_on_the_batch() -> None:
    """B = tr Σ/‖g‖² = 5.42/0.30 responses, from sums over many draws at two batch sizes."""
    for rows, total in ((16, 16), (32, 128)):
        smoother = GradientNoiseSmoother(decay=1.0)
        found = [smoother(r) for r in _draws(count=600, rows=rows, parts=8, total=total)][-1]
        assert found["gradient/noise_scale"] == pytest.approx(5.42 / 0.30, rel=0.2)
        assert found["gradient/normalised_variance"] == pytest.approx(5.42 / 0.30 / total, rel=0.2)
        assert found["gradient/signal_resolved"] == 1.0


def test_numbers_worked_by_hand() -> None:
    """Parts (1, 0), (0, 3), (2, 0): Σ‖g_i‖² = 14, ĝ = (3, 3), so tr Cov = 3/2·(14 − 18/3) = 12, signal 6."""
    weight = torch.zeros(2, requires_grad=True)
    reading = MicroBatchVariance([weight])
    for part in ((1.0, 0.0), (0.0, 3.0), (2.0, 0.0)):
        with reading.part():
            (weight * torch.tensor(part)).sum().backward()
    assert gradient(weight).tolist() == [3.0, 3.0]  # .grad accumulates as if nobody looked
    found = reading.result(18.0, rollouts=3, total_rollouts=12)
    assert found.part_squares == pytest.approx(14.0)
    assert found.minibatch_variance == pytest.approx(12.0)
    assert found.variance == pytest.approx(3.0)
    assert found.signal == pytest.approx(6.0)
    assert found.normalised_variance == pytest.approx(0.5)
    assert found.noise_scale == pytest.approx(6.0)


class _Tied(nn.Module):
    """A tiny language model whose head is its embedding: that parameter is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.mix = nn.Linear(6, 6)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = torch.tanh(self.mix(self.embed(ids)))
        return (hidden @ self.embed.weight.T).log_softmax(-1)[..., 3].sum(-1)


def _slow_squares(model: nn.Module, ids: Tensor) -> list[float]:
    """‖∇ of each row‖² by torch.func, an independent way."""
    parameters: dict[str, Tensor] = dict(model.named_parameters())

    def one(values: dict[str, Tensor], row: Tensor) -> Any:
        return functional_call(model, values, (row[None],)).sum() / len(ids)

    gradients = vmap(grad(one), (None, 0))(parameters, ids)
    flat = torch.cat([g.flatten(1) for g in gradients.values()], 1)
    return flat.square().sum(1).tolist()


@pytest.mark.parametrize("checkpointed", [False, True])
def test_equals_per_sample_gradients_computed_the_slow_way(checkpointed: bool) -> None:
    torch.manual_seed(0)
    model = _Tied().double()
    ids = torch.randint(0, 11, (7, 4))
    reading = MicroBatchVariance(model.parameters())
    for row in ids:
        with reading.part():
            out = checkpoint(model, row[None], use_reentrant=False) if checkpointed else model(row[None])
            (out.sum() / len(ids)).backward()
    norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1e9))
    slow = _slow_squares(model, ids)
    found = reading.result(norm**2, rollouts=7, total_rollouts=7)
    assert found.part_squares == pytest.approx(sum(slow), rel=1e-12)
    mean = norm**2 / 7
    assert found.variance == pytest.approx(7 / 6 * (sum(slow) - mean), rel=1e-10)


def test_the_gradient_itself_is_untouched_and_the_hooks_are_gone() -> None:
    torch.manual_seed(0)
    model, ids = _Tied(), torch.randint(0, 11, (4, 3))
    reading = MicroBatchVariance(model.parameters())
    for rows in ids.chunk(2):
        with reading.part():
            model(rows).sum().backward()
    watched = gradients(model.parameters())
    model.zero_grad()
    for rows in ids.chunk(2):
        model(rows).sum().backward()
    assert all(torch.equal(a, gradient(p)) for a, p in zip(watched, model.parameters()))
    before = reading.result(1.0, rollouts=4, total_rollouts=4).part_squares
    model(ids).sum().backward()
    assert reading.result(1.0, rollouts=4, total_rollouts=4).part_squares == before
    assert not any(p._backward_hooks for p in model.parameters())


def test_hooks_are_removed_when_a_part_fails() -> None:
    weight = torch.zeros(2, requires_grad=True)
    reading = MicroBatchVariance([weight])
    with pytest.raises(ZeroDivisionError), reading.part():
        raise ZeroDivisionError
    assert not weight._backward_hooks
    with pytest.raises(ValueError, match="at least two"):
        reading.result(1.0, rollouts=1, total_rollouts=1)


def test_a_part_of_several_passes_counts_as_their_sum() -> None:
    """Two parts: gradients (1, 0) + (2, 0) and (0, 1) + (−4, 1); ‖g_1‖² = 9, ‖g_2‖² = 20; ‖ĝ‖² = (−1)² + 2² = 5."""
    weight, other = torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)
    reading = MicroBatchVariance([weight, other], passes=2)
    for gradient_of_pass in ([1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [-4.0, 1.0]):
        with reading.part():
            (weight * torch.tensor(gradient_of_pass)).sum().backward()
    assert gradient(weight).tolist() == [-1.0, 2.0]
    assert [float(square) for square in reading.squares] == [9.0, 20.0]
    assert reading.result(5.0, rollouts=4, total_rollouts=4).variance == pytest.approx(2.0 * (29.0 - 2.5))


def test_a_parameter_that_one_pass_reaches_counts_in_its_part() -> None:
    weight, other = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    reading = MicroBatchVariance([weight, other], passes=2)
    for loss in (3.0 * other.sum(), 4.0 * weight.sum(), weight.sum(), 2.0 * weight.sum()):
        with reading.part():
            loss.backward()
    assert [float(square) for square in reading.squares] == [25.0, 9.0]


def test_two_backward_passes_in_a_part_are_refused() -> None:
    """‖a + b‖² is not ‖a‖² + ‖b‖²: better no reading than a wrong one."""
    weight = torch.zeros(2, requires_grad=True)
    reading = MicroBatchVariance([weight])
    with pytest.raises(RuntimeError, match="twice"), reading.part():
        (2 * weight).sum().backward()
        (3 * weight).sum().backward()


def test_a_part_without_any_gradient_counts_as_zero() -> None:
    """A group without contrast contributes nothing, and that is part of the noise."""
    weight, other = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    reading = MicroBatchVariance([weight])
    with reading.part():
        (2 * weight).sum().backward()
    with reading.part():
        other.sum().backward()
    assert reading.result(4.0, rollouts=2, total_rollouts=2).variance == pytest.approx(4.0)  # 2·(4 − 4/2)


def test_unresolved_signal_is_cut_off_and_flagged() -> None:
    reading = GradientNoiseReading(part_squares=8.0, norm_squared=1.0, parts=8, rollouts=16, total_rollouts=64)
    assert reading.signal < 0
    assert not reading.resolved
    assert reading.normalised_variance == UNRESOLVED
    assert reading.noise_scale == UNRESOLVED * 64
    assert all(math.isfinite(x) for x in reading.metrics().values())
    assert GradientNoiseSmoother()(reading)["gradient/signal_resolved"] == 0.0


def test_a_gradient_that_is_zero_has_no_variance() -> None:
    reading = GradientNoiseReading(part_squares=0.0, norm_squared=0.0, parts=8, rollouts=16, total_rollouts=64)
    assert reading.metrics() == {
        "gradient/variance": 0.0,
        "gradient/signal": 0.0,
        "gradient/normalised_variance_raw": 0.0,
        "gradient/noise_scale_raw": 0.0,
    }


def test_smoothing_is_a_ratio_of_sums() -> None:
    """Two steps at decay ½, the first with a signal below zero: no mean of ratios could survive it."""
    first = GradientNoiseReading(part_squares=5.0, norm_squared=3.0, parts=4, rollouts=1, total_rollouts=1)
    variance = 4 / 3 * (5.0 - 3.0 / 4)
    smoother = GradientNoiseSmoother(decay=0.5)
    smoother(first)
    second = GradientNoiseReading(part_squares=5.0, norm_squared=9.0, parts=4, rollouts=1, total_rollouts=1)
    later = 4 / 3 * (5.0 - 9.0 / 4)
    found = smoother(second)["gradient/normalised_variance"]
    assert found == pytest.approx((0.5 * variance + later) / (0.5 * (3 - variance) + (9 - later)))


def test_smoother_resumes() -> None:
    readings = _draws(count=6, rows=8, parts=4)
    whole, first, second = GradientNoiseSmoother(), GradientNoiseSmoother(), GradientNoiseSmoother()
    expected = [whole(r) for r in readings][-1]
    for r in readings[:3]:
        first(r)
    second.load_state_dict(first.state_dict())
    assert [second(r) for r in readings[3:]][-1] == expected


@pytest.mark.slow
def test_norm_of_a_large_matrix_is_exact_in_float32() -> None:
    """One running float32 sum of 2e7 squares is wrong in the fourth digit; transposed memory must not matter."""
    rng = torch.Generator().manual_seed(0)
    matrix = torch.randn(5000, 4000, generator=rng)
    exact = float(matrix.double().square().sum())
    assert float(part_gradient_norm(matrix)) ** 2 == pytest.approx(exact, rel=3e-6)
    assert float(part_gradient_norm(matrix.T)) ** 2 == pytest.approx(exact, rel=3e-6)


def test_half_precision_gradients_are_measured_in_float32() -> None:
    assert float(part_gradient_norm(torch.full((300, 300), 1.0, dtype=torch.bfloat16))) == pytest.approx(
        300.0, rel=1e-6
    )


def test_log_fluctuation() -> None:
    """|log 2| and |log ¼| from the last batch's 1: mean (1 + 2)/2·log 2."""
    assert gradient_log_fluctuation([2.0, 0.5], before=1.0) == pytest.approx(1.5 * math.log(2))
    assert gradient_log_fluctuation([2.0, 0.5]) == pytest.approx(2 * math.log(2))
    assert gradient_log_fluctuation([3.0]) == 0.0
    assert gradient_log_fluctuation([1.0, 0.0, 1.0, math.e]) == pytest.approx(1.0)  # a zero gradient has no logarithm
    assert gradient_log_fluctuation([200.0, 100.0]) == pytest.approx(gradient_log_fluctuation([2.0, 1.0]))  # scale-free


def test_a_gradient_that_no_hook_saw_is_an_error_and_no_variance_of_zero() -> None:
    """As when parameters are watched that others stand in for, sharded ones for instance."""
    watched, moved = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    reading = MicroBatchVariance([watched])
    for _ in range(2):
        with reading.part():
            moved.sum().backward()
    with pytest.raises(RuntimeError, match="watches parameters that the backward pass does not reach"):
        reading.result(8.0, rollouts=2, total_rollouts=2)
