"""The untrained tiny policy, sharpened so that it is neither uniform nor certain; rows that join others at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from tests.rollout.full_fp32 import quick_anywhere as quick_anywhere
from tvo_cli.model import Policy
from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.branching.branching_rule import GrownResponses
from tvo_cli.rollout.decoding import admission, continuous_batching
from tvo_cli.rollout.decoding.cache_slots import has_slots
from tvo_cli.types import Rollout

# Four lengths, so that batches are left-padded; sorting them is a cycle, which is not its own inverse.
PROMPTS = ("1 + 1 =", "5 * 5 - 2 =", "0 =", "7 + 3 * 12 - 4 * 2 + 9 =")
KEYS = ("a", "b", "c", "d")
SAMPLING = SamplingParams(samples=6, max_tokens=12)


@pytest.fixture(scope="module")
def policy() -> Policy:
    tokenizer = tiny_tokenizer()
    network = tiny_network(tokenizer, seed=3).eval()
    with torch.no_grad():
        network.lm_head.weight.mul_(3.0)
        network.lm_head.weight[tokenizer.eos_token_id] += 0.15  # some rows end early
    return Policy(network, tokenizer, frozenset({tokenizer.eos_token_id}), tokenizer.pad_token_id)


@pytest.fixture
def skewed(policy: Policy) -> Policy:
    """Some responses end soon, some never."""
    return Policy(policy.network, policy.tokenizer, frozenset(range(2, 5)), policy.pad_id)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Rows join as soon as a slot is free, however much padding that makes; or never."""

    def choose(joins: bool) -> None:
        monkeypatch.setattr(admission, "LAYER_BYTES", 1e12)
        monkeypatch.setattr(admission, "FREED", 1e-9)
        monkeypatch.setattr(admission, "has_slots", has_slots if joins else lambda network: False)

    return choose


@pytest.fixture
def admitted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows joined a running batch, each time."""
    found: list[int] = []
    admit = continuous_batching.ContinuousBatching._admit
    monkeypatch.setattr(
        continuous_batching.ContinuousBatching,
        "_admit",
        lambda self, batch, count, steps: (found.append(count), admit(self, batch, count, steps))[1],
    )
    return found


def grown_responses(
    entropy: Sequence[Sequence[float]],
    *,
    samples: int,
    group: Sequence[int] = (0,),
    lengths: Sequence[int] = (),
    words: Sequence[Sequence[bool]] | None = None,
    taken: Sequence[int] | None = None,
    keys: Sequence[str] = ("a", "b"),
    seed: int = 0,
) -> GrownResponses:
    """Responses of these entropies, of their whole width where no lengths are said, over 100 words."""
    values = torch.tensor(entropy)
    count, width = values.shape
    mask = torch.arange(width) < torch.tensor([*(lengths or [width] * count)])[:, None]
    ids, prefix = torch.full((count, width), 5), None if taken is None else torch.tensor(taken)
    prompt = torch.zeros(count, 1, dtype=torch.int64)
    own = torch.tensor(group), ("",) * count
    rollout = Rollout(prompt, prompt == 0, ids, mask, -values, mask[:, 0], *own, prefix)
    marked = mask if words is None else torch.tensor(words) & mask
    return GrownResponses(rollout, values, marked, keys[: max(group) + 1], samples, seed, 100)
