"""Entropy-adaptive decoding: switches by hand, each extreme is one model alone, and what a response costs."""

from __future__ import annotations

import math

import pytest
import torch

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.engines.engine import LocalEngine
from tvo_cli.rollout.engines.entropy_adaptive import EntropyAdaptiveEngine, ModelSwitch, SwitchSettings, entropy_in_bits
from tvo_cli.rollout.non_finite_logits import NonFiniteLogits

PROMPTS, KEYS = ["1 + 2 =", "3 * 4 + 5 ="], ["a", "b"]
SAMPLING = SamplingParams(samples=2, max_tokens=8)


def random_policy(seed: int) -> Policy:
    tokenizer, network = tiny_tokenizer(), tiny_network(tiny_tokenizer(), seed=seed).eval()
    with torch.no_grad():
        network.lm_head.weight.mul_(4.0)
    return Policy(network, tokenizer, frozenset({tokenizer.eos_token_id}), tokenizer.pad_token_id)


@pytest.fixture(scope="module")
def pair() -> tuple[Policy, Policy]:
    return random_policy(3), random_policy(4)


def test_it_switches_where_the_mean_of_the_window_passes_the_threshold() -> None:
    """τ = 1, w = 2, d = 2; means 0, 1.5, 2, 1, 0.5, 2, 4: switches behind the 2nd, 4th and 6th."""
    switch = ModelSwitch(SwitchSettings(1.0, 2, 2))
    found = [switch.after(entropy) for entropy in (0.0, 3.0, 1.0, 1.0, 0.0, 4.0, 4.0)]
    assert found == [False, True, True, False, False, True, True]


def test_two_switches_are_never_closer_than_the_least() -> None:
    switch, found = ModelSwitch(SwitchSettings(1.0, 1, 3)), list[bool]()
    for entropy in (2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 0.0):
        found.append(switch.after(entropy))
    places = [n for n, (one, next_) in enumerate(zip([False, *found], found)) if one != next_]
    assert places == [0, 3, 6]


def test_entropy_is_in_bits() -> None:
    assert entropy_in_bits(torch.zeros(8)) == pytest.approx(3.0)
    assert entropy_in_bits(torch.tensor([0.0, math.log(3.0), -math.inf])) == pytest.approx(2 - 0.75 * math.log2(3))


def test_without_a_switch_it_is_the_small_model_alone(pair: tuple[Policy, Policy]) -> None:
    engine = EntropyAdaptiveEngine(*pair, SwitchSettings(math.inf, 5, 10))
    found = engine(PROMPTS, KEYS, SAMPLING, seed=7)
    alone = LocalEngine(pair[0])(PROMPTS, KEYS, SAMPLING, seed=7)
    assert [[one[:3] for one in row] for row in found] == [[one[:3] for one in row] for row in alone]
    assert all(one.pair is not None and one.pair.large == one.pair.read_large == 0 for row in found for one in row)


def test_a_threshold_below_zero_gives_the_large_model_all_but_the_first_token(pair: tuple[Policy, Policy]) -> None:
    """Token n + 1 is what the large model says behind the first n, whatever wrote them."""
    engine = EntropyAdaptiveEngine(*pair, SwitchSettings(-1.0, 5, 1))
    greedy = SamplingParams(samples=1, max_tokens=6, temperature=0.0)
    (found,) = engine(PROMPTS[:1], KEYS[:1], greedy, seed=7)[0]
    ids = pair[1].encode(PROMPTS[:1])[0][0].tolist()
    start = len(ids)
    while len(ids) - start < found.tokens:
        writer = pair[0] if len(ids) == start else pair[1]
        with torch.no_grad():
            ids.append(int(writer.network(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    assert found.text == pair[1].tokenizer.decode(ids[start:], skip_special_tokens=True)
    assert found.pair == (found.tokens - 1, start, start + found.tokens - 1)


def test_models_of_other_tokens_are_refused(pair: tuple[Policy, Policy]) -> None:
    other = Policy(pair[0].network, tiny_tokenizer(["one"]), frozenset({2}), 0)
    with pytest.raises(UserError, match=r"protocol\.switch\.small=.* Take two of one family"):
        EntropyAdaptiveEngine(other, pair[1], SwitchSettings(1.0, 5, 10))


def test_logits_that_are_no_numbers_are_told(pair: tuple[Policy, Policy]) -> None:
    """The large model's, which writes from the second token on; the first is the small one's."""
    broken = random_policy(4)
    with torch.no_grad():
        broken.network.lm_head.weight.fill_(float("nan"))
    engine = EntropyAdaptiveEngine(pair[0], broken, SwitchSettings(-1.0, 1, 1))
    with pytest.raises(NonFiniteLogits, match="at token 2 of a response to a "):
        engine(PROMPTS, KEYS, SAMPLING, 0)
