"""The tiled head against whole rows of logits in float64: values, gradients, memory, and when it is used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tvo_cli.model.decodable_tokens import DecodableTokens
from tvo_cli.model.forward_pass import tiled_logprobs
from tvo_cli.model.forward_pass.logprobs import token_scores
from tvo_cli.model.forward_pass.output_head import OutputHead

WHAT = {"log-prob": (1.0, 0.0, 0.0), "entropy": (0.0, 1.0, 0.0), "collision": (0.0, 0.0, 1.0), "all": (1.0, -0.7, 0.4)}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of 5 rows and 7 words, neither of which divides what is read."""
    monkeypatch.setattr(tiled_logprobs, "ROWS", 5)
    monkeypatch.setattr(tiled_logprobs, "COLUMNS", 7)


def inputs(dtype: torch.dtype, *, bias: bool = True) -> tuple[list[Tensor], Tensor]:
    rng = torch.Generator().manual_seed(0)
    hidden, weight = 3 * torch.randn(13, 6, generator=rng, dtype=dtype), torch.randn(23, 6, generator=rng, dtype=dtype)
    given = [hidden, weight, *([torch.randn(23, generator=rng, dtype=dtype)] if bias else [])]
    return [x.requires_grad_() for x in given], torch.randint(23, (13,), generator=rng)


def gradients(readings: Iterable[Tensor], given: Sequence[Tensor], weights: Sequence[float]) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(1)
    pushes = [w * (x * torch.randn(x.shape, generator=rng)).sum() for w, x in zip(weights, readings)]
    return torch.autograd.grad(torch.stack(pushes).sum(), given)


@pytest.mark.parametrize("heat", [1.0, 0.6])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("weights", WHAT.values(), ids=WHAT)
def test_tiles_are_whole_rows(small: None, heat: float, bias: bool, weights: tuple[float, ...]) -> None:
    given, targets = inputs(torch.float64, bias=bias)
    found = tiled_logprobs.tiled_token_scores(given[0], given[1], given[2] if bias else None, targets, heat)
    whole = token_scores(functional.linear(*given) / heat, targets)
    for mine, theirs in zip(found, whole, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    for mine, theirs in zip(gradients(found, given, weights), gradients(whole, given, weights), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_float32_keeps_its_accuracy_over_large_logits(small: None) -> None:
    """Logits of ±60: an unshifted sum of e^z would lose everything but the largest."""
    exact, targets = inputs(torch.float64)
    given = [x.detach().float().requires_grad_() for x in exact]
    found = tiled_logprobs.tiled_token_scores(given[0] * 4, given[1], given[2], targets, 0.5)
    whole = token_scores(functional.linear(exact[0] * 4, *exact[1:]) / 0.5, targets)
    assert float(whole[0].detach().min()) < -30
    for mine, theirs in zip(found, whole, strict=True):
        torch.testing.assert_close(mine.double(), theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("heat", [1.0, 0.6])
def test_bfloat16_errs_by_the_rounding_of_its_products_alone(
    small: None, monkeypatch: pytest.MonkeyPatch, bias: bool, heat: float
) -> None:
    """Sums over ten tiles of words and twelve of rows: errors are those of whole rows, which are summed in float32."""
    monkeypatch.setattr(tiled_logprobs, "COLUMNS", 70)
    rng = torch.Generator().manual_seed(0)
    shapes = [(60, 16), (700, 16), *([(700,)] if bias else [])]
    given = [torch.randn(shape, generator=rng).bfloat16().requires_grad_() for shape in shapes]
    targets = torch.randint(shapes[1][0], (60,), generator=rng)
    exactly = [x.detach().double().requires_grad_() for x in given]
    exact = token_scores(functional.linear(*exactly) / heat, targets)
    whole = token_scores(functional.linear(*given).float() / heat, targets)
    found = tiled_logprobs.tiled_token_scores(given[0], given[1], given[2] if bias else None, targets, heat)
    assert all(one.dtype == torch.float32 for one in found)
    readings = zip(found, whole, exact, strict=True)
    weights = WHAT["all"]
    steps = (gradients(some, by, weights) for some, by in ((found, given), (whole, given), (exact, exactly)))
    for mine, theirs, right in [*readings, *zip(*steps, strict=True)]:
        errors = [float((one.detach().double() - right.detach()).norm()) for one in (mine, theirs)]
        assert 0 < errors[0] < 1.5 * errors[1]


def test_gradients_in_bfloat16_are_summed_in_float32(small: None) -> None:
    """3,000 equal gradients of a weight, five rows a tile: a sum in bfloat16 would stop growing at 256 tiles' worth."""
    hidden, weight = torch.ones(3000, 1).bfloat16(), torch.zeros(8, 1).bfloat16().requires_grad_()
    found = tiled_logprobs.tiled_token_scores(hidden, weight, None, torch.zeros(3000, dtype=torch.int64), 1.0)
    (by_weight,) = torch.autograd.grad(found[0].sum(), weight)
    assert by_weight[:, 0].tolist() == pytest.approx([3000 * 7 / 8, *[-3000 / 8] * 7], rel=0.01)


@pytest.mark.slow
def test_gradcheck(small: None) -> None:
    given, targets = inputs(torch.float64)
    assert torch.autograd.gradcheck(lambda h, w, b: tiled_logprobs.tiled_token_scores(h, w, b, targets, 0.8), given)


def test_nothing_saved_grows_with_rows_times_vocabulary() -> None:
    hidden, weight = torch.randn(600, 4, requires_grad=True), torch.randn(30_000, 4, requires_grad=True)
    sizes: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: (sizes.append(x.numel()), x)[1], lambda x: x):
        found = tiled_logprobs.tiled_token_scores(hidden, weight, None, torch.zeros(600, dtype=torch.int64), 1.0)
    assert max(sizes) == weight.numel()
    assert found[0].shape == (600,)


def test_a_head_with_a_scale_is_its_own_logits() -> None:
    project = torch.nn.Linear(6, tiled_logprobs.WIDE, bias=True)
    head, hidden = OutputHead(project, scale=0.25), torch.randn(3, 6)
    targets = torch.tensor([0, 5, tiled_logprobs.WIDE - 1])
    assert tiled_logprobs.can_score_in_tiles(head, hidden)
    found, whole = (
        tiled_logprobs.tiled_scores_of_head(head, hidden, targets, 0.7),
        token_scores(head(hidden) / 0.7, targets),
    )
    for mine, theirs in zip(found, whole, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_narrow_capped_and_low_precision_heads_are_left_alone() -> None:
    wide, narrow = torch.nn.Linear(2, tiled_logprobs.WIDE, bias=False), torch.nn.Linear(2, 100, bias=False)
    hidden = torch.randn(3, 2)
    assert tiled_logprobs.can_score_in_tiles(OutputHead(wide), hidden)
    assert not tiled_logprobs.can_score_in_tiles(OutputHead(narrow), hidden)
    assert not tiled_logprobs.can_score_in_tiles(OutputHead(wide, cap=30.0), hidden)
    assert not tiled_logprobs.can_score_in_tiles(OutputHead(None), hidden)
    assert not tiled_logprobs.can_score_in_tiles(OutputHead(wide), hidden.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert not tiled_logprobs.can_score_in_tiles(OutputHead(wide), hidden)


def test_logits_without_a_token_are_never_read_in_tiles(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those behind the last token are cut off; a tile cannot leave one out in the middle."""
    monkeypatch.setattr(tiled_logprobs, "WIDE", 1)
    (hidden, weight, bias), targets = inputs(torch.float32)
    project = torch.nn.Linear(6, 23)
    project.load_state_dict({"weight": weight.detach(), "bias": bias.detach()})
    cut, holed = (OutputHead(project, decodable=DecodableTokens(20, holes)) for holes in ((), (3,)))
    assert tiled_logprobs.can_score_in_tiles(cut, hidden) and not tiled_logprobs.can_score_in_tiles(holed, hidden)
    found = tiled_logprobs.tiled_scores_of_head(cut, hidden, targets % 20, 0.7)
    for mine, theirs in zip(found, token_scores(cut(hidden) / 0.7, targets % 20), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)
