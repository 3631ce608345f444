"""SIREN: its nucleus, its peaks and its anchor, on the specification's numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.maths.masked import row_quantile
from tvo_cli.maths.nucleus import Nucleus, nucleus_entropy
from tvo_cli.methods.siren import siren
from tvo_cli.model.forward_pass.logprobs import chunked_token_scores
from tvo_cli.objective import Anchored
from tvo_cli.objective.coefficient import Constant
from tvo_cli.types import Tokens

D = torch.float64
OBJECTIVE = "algorithm.objective"
NEUTRAL = {"siren": ("dr_grpo", [f"{OBJECTIVE}.penalties.siren.coef.value=0", f"{OBJECTIVE}.surrogate.dual=inf"])}
ACTS = {name: [f"{OBJECTIVE}.penalties.siren.anchor=0.2"] for name in ("siren", "siren_viscous")}
WORDS = torch.tensor([[0.5, 0.25, 0.15, 0.1], [0.9, 0.05, 0.03, 0.02], [0.25, 0.25, 0.25, 0.25]], dtype=D)


@pytest.fixture
def tokens(f0: dict[str, torch.Tensor]) -> Tokens:
    """F0, its entropies those of the nucleus."""
    return Tokens(
        logp=f0["logp"],
        old_logp=f0["old"],
        entropy=torch.full((4, 3), 9.0, dtype=D),
        collision=torch.zeros(4, 3, dtype=D),
        advantage=torch.zeros(4, 3, dtype=D),
        mask=f0["mask"],
        share=f0["mask"].double() / 9,
        nucleus_entropy=f0["entropy"].clone().requires_grad_(),
    )


def anchored(anchor: float | None, **changes: Any) -> Anchored:
    keywords = {"quantile": 0.8, "count_empty": False} | changes
    return Anchored(lambda tokens: siren(tokens, **keywords), Constant(0.005), anchor)


def nucleus(tokens: Tokens) -> Tensor:
    """H inside the nucleus, which these tokens have."""
    assert tokens.nucleus_entropy is not None
    return tokens.nucleus_entropy


@pytest.mark.parametrize(
    ("crossing", "expected"), [(True, [0.98099, 0.0, 1.386294]), (False, [0.636514, 0.0, 1.098612])]
)
def test_the_entropy_inside_the_nucleus(crossing: bool, expected: list[float]) -> None:
    """{.5,.25,.15} or {.5,.25}; only the first word; four words, or three where the crossing one is left out."""
    found = nucleus_entropy(WORDS.log(), Nucleus(0.8, crossing))
    torch.testing.assert_close(found, torch.tensor(expected, dtype=D), rtol=0, atol=1e-6)


def test_the_whole_vocabulary_is_its_entropy() -> None:
    full = -(WORDS * WORDS.log()).sum(-1)
    torch.testing.assert_close(nucleus_entropy(WORDS.log(), Nucleus(1.0, True)), full)


def test_the_gradient_stays_inside_the_nucleus() -> None:
    """−π'(log π' + H') inside, by the closed form; 0 outside and where the set is empty."""
    logits = WORDS.log().requires_grad_()
    (gradient,) = torch.autograd.grad(nucleus_entropy(logits.log_softmax(-1), Nucleus(0.8, False)).sum(), logits)
    inside = torch.tensor([2 / 3, 1 / 3], dtype=D)
    expected = -inside * (inside.log() + 0.6365141682948128)
    torch.testing.assert_close(gradient[0, :2], expected, rtol=1e-9, atol=1e-12)
    assert (gradient[0, 2:] == 0).all() and (gradient[1] == 0).all()
    logits = torch.randn(3, 7, dtype=D, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: nucleus_entropy(z.log_softmax(-1), Nucleus(0.8, True)), logits)


@pytest.mark.parametrize("chunk_bytes", [2**26, 4 * 11 * 2])
def test_scores_bring_it_along_chunked_or_not(chunk_bytes: int) -> None:
    rng = torch.Generator().manual_seed(1)
    hidden, head = torch.randn(9, 11, generator=rng), torch.nn.Identity()
    targets = torch.arange(9)
    readings = chunked_token_scores(head, hidden, targets, 0.7, 11, chunk_bytes, Nucleus(0.8, True))
    expected = nucleus_entropy((hidden / 0.7).log_softmax(-1), Nucleus(0.8, True))
    torch.testing.assert_close(readings[3], expected)
    assert len(chunked_token_scores(head, hidden, targets, 0.7, 11, chunk_bytes)) == 3


def test_quantiles_are_torchs_row_by_row(f0: dict[str, torch.Tensor]) -> None:
    for share in (0.0, 0.3, 0.8, 1.0):
        found = row_quantile(f0["entropy"], f0["mask"], share)
        rows = [torch.quantile(x[keep], share) for x, keep in zip(f0["entropy"], f0["mask"])]
        torch.testing.assert_close(found, torch.stack(rows))


@pytest.mark.parametrize(("count_empty", "mean"), [(False, 1.533333), (True, 1.15)])
def test_peaks_and_their_mean(tokens: Tokens, count_empty: bool, mean: float) -> None:
    summands = siren(tokens, quantile=0.8, count_empty=count_empty)
    assert summands.nonzero().tolist() == [[0, 2], [1, 0], [2, 1]], "a response of one token never exceeds its own"
    assert summands.sum().item() == pytest.approx(mean, abs=1e-6)


def test_the_penalty_and_its_gradient(tokens: Tokens) -> None:
    value = anchored(1.5)(tokens)
    assert value.item() == pytest.approx(5.5556e-6, rel=1e-4)
    (gradient,) = torch.autograd.grad(value, nucleus(tokens))
    expected = torch.zeros(4, 3, dtype=D)
    expected[0, 2] = expected[1, 0] = expected[2, 1] = 2 * 0.005 * (4.6 / 3 - 1.5) / 3
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize(("anchor", "sign"), [(2.0, -1), (1.0, 1)])
def test_entropy_rises_below_the_anchor_and_falls_above(tokens: Tokens, anchor: float, sign: int) -> None:
    (gradient,) = torch.autograd.grad(anchored(anchor)(tokens), nucleus(tokens))
    assert torch.sign(gradient[gradient != 0]).tolist() == [sign] * 3


def test_the_anchor_is_the_start_and_stays(tokens: Tokens) -> None:
    penalty = anchored(None)
    assert penalty.awaits_start and penalty(tokens).item() == 0.0 and penalty.state_dict() == {}
    penalty.start(tokens)
    assert penalty.state_dict() == {"anchor": pytest.approx(4.6 / 3)} and penalty(tokens).item() == pytest.approx(0.0)
    penalty.start(replace(tokens, nucleus_entropy=nucleus(tokens) * 2))
    twin = anchored(None)
    twin.load_state_dict(penalty.state_dict())
    assert twin.anchor == pytest.approx(4.6 / 3) and not twin.awaits_start


def test_a_split_gives_the_same_value_and_gradient(tokens: Tokens) -> None:
    whole = replace(tokens, nucleus_entropy=nucleus(tokens).detach())
    names = ("logp", "old_logp", "entropy", "collision", "advantage", "mask", "share", "nucleus_entropy")
    parts = [
        replace(tokens, **{name: getattr(tokens, name)[first:last] for name in names}, whole=whole, start=first)
        for first, last in ((0, 1), (1, 4))
    ]
    together, apart = anchored(1.2)(tokens), torch.stack([anchored(1.2)(part) for part in parts]).sum()
    assert apart.item() == pytest.approx(together.item(), rel=1e-12)
    found = [torch.autograd.grad(value, nucleus(tokens))[0] for value in (together, apart)]
    torch.testing.assert_close(*found)


def test_a_mean_of_micro_batches_is_refused() -> None:
    node = config.compose(["algorithm=siren", f"{OBJECTIVE}.reads.minibatch=false"]).algorithm.objective
    with pytest.raises(UserError, match=r"reads\.minibatch=False: siren is a mean"):
        config.build(node)


def test_the_dual_clip_is_the_released_runs() -> None:
    """A bad token is let go beyond ρ = 3."""
    surrogate = config.build(config.compose(["algorithm=siren", "logger=none"]).algorithm.objective.surrogate)
    ratio = torch.tensor([2.9, 3.1], requires_grad=True)
    assert torch.autograd.grad(surrogate(ratio, -torch.ones(2)).sum(), ratio)[0].tolist() == [-1.0, 0.0]
