"""The generation loop: what it samples, what it records, and that batching cannot be seen."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from tests.rollout.conftest import KEYS, PROMPTS, SAMPLING
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.rollout import SamplingParams, generate
from tvo_cli.rollout.decoding import continuous_batching, token_sampling
from tvo_cli.rollout.non_finite_logits import NonFiniteLogits
from tvo_cli.types import Rollout


def run(
    policy: Policy,
    sampling: SamplingParams = SAMPLING,
    prompts: Sequence[str] = PROMPTS,
    keys: Sequence[str] = KEYS,
    seed: int = 0,
) -> Rollout:
    return generate(policy, prompts, keys, sampling, seed=seed)


def tokens(rollout: Rollout, row: int) -> list[int]:
    return rollout.response_ids[row][rollout.mask[row]].tolist()


def test_shapes_order_and_padding(policy: Policy) -> None:
    rollout = run(policy)
    assert rollout.response_ids.shape == rollout.mask.shape == rollout.logp.shape
    assert rollout.group.tolist() == [p for p in range(4) for _ in range(6)]
    assert len(rollout.texts) == 24
    for row in range(24):
        asked = rollout.prompt_ids[row][rollout.prompt_mask[row]].tolist()
        assert asked == policy.tokenizer(PROMPTS[row // 6])["input_ids"]
        words = policy.tokenizer.convert_ids_to_tokens(tokens(rollout, row))
        assert rollout.texts[row].split() == [word for word in words if not word.startswith("<")]
    assert (rollout.response_ids[~rollout.mask] == policy.pad_id).all()
    assert (rollout.logp[~rollout.mask] == 0).all()
    assert not rollout.prompt_mask[:, 0].all()  # the case with left padding is really exercised


def test_the_mask_ends_with_the_end_token_and_nothing_follows(policy: Policy) -> None:
    rollout = run(policy, replace(SAMPLING, samples=32))
    lengths = rollout.mask.sum(1)
    assert rollout.finished.any()
    assert (~rollout.finished).any()
    for row in range(len(lengths)):
        found, ended = tokens(rollout, row), bool(rollout.finished[row])
        assert rollout.mask[row, : len(found)].all()
        assert not rollout.mask[row, len(found) :].any()
        assert (found[-1] in policy.end_ids) == ended
        assert not any(token in policy.end_ids for token in found[:-1])
        assert ended or len(found) == 12
        assert "</s>" not in rollout.texts[row]


def test_the_samplers_log_probabilities_are_the_trainers(policy: Policy) -> None:
    for temperature in (1.0, 0.7):
        rollout = run(policy, replace(SAMPLING, temperature=temperature, samples=16))
        scores = policy.score(rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask, temperature)
        torch.testing.assert_close(rollout.logp, scores.logp.detach(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 6, 13, 1000])
def test_batching_cannot_be_seen(policy: Policy, batch_size: int) -> None:
    whole, cut = run(policy), run(policy, replace(SAMPLING, batch_size=batch_size))
    assert torch.equal(whole.response_ids, cut.response_ids)
    assert torch.equal(whole.mask, cut.mask)
    assert torch.equal(whole.finished, cut.finished)
    torch.testing.assert_close(whole.logp, cut.logp, rtol=0, atol=1e-5)


def test_batch_size_bounds_the_rows_of_every_forward_pass(policy: Policy) -> None:
    rows: list[int] = []
    hook = policy.network.model.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    run(policy, replace(SAMPLING, batch_size=4))
    hook.remove()
    assert max(rows) == 4


def test_a_token_depends_on_its_key_and_sample_alone(policy: Policy) -> None:
    whole = run(policy)
    other = run(policy, prompts=PROMPTS[::-1], keys=KEYS[::-1])
    more = run(policy, replace(SAMPLING, samples=9, max_tokens=20))
    for p in range(4):
        for g in range(6):
            found = tokens(whole, p * 6 + g)
            assert found == tokens(other, (3 - p) * 6 + g)
            assert found == tokens(more, p * 9 + g)[: len(found)]
    assert not torch.equal(whole.response_ids, run(policy, seed=1).response_ids)
    assert tokens(whole, 0) != tokens(run(policy, keys=("x", "b", "c", "d")), 0)


def test_each_prompt_is_prefilled_once_and_finished_rows_are_dropped(policy: Policy) -> None:
    seen: list[tuple[int, int]] = []
    hook = policy.network.model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    rollout = run(policy, replace(SAMPLING, samples=32))
    hook.remove()
    assert seen[0][0] == 4  # prompts, not prompts × samples
    alive = rollout.mask.sum(0)
    for t, (rows, width) in enumerate(seen[1:], start=1):
        assert width == 1
        assert rows <= int(alive[t]) / 0.8 + 1  # never much more than what is still alive
    assert seen[-1][0] < 128


def test_greedy_takes_the_most_probable_token_and_records_it_at_temperature_one(policy: Policy) -> None:
    rollout = run(policy, replace(SAMPLING, temperature=0.0, samples=2))
    assert torch.equal(rollout.response_ids[0::2], rollout.response_ids[1::2])
    first = policy.network(policy.tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]).logits[0, -1]
    assert int(rollout.response_ids[0, 0]) == int(first.argmax())
    assert float(rollout.logp[0, 0]) == pytest.approx(float(first.log_softmax(-1).max().detach()), abs=1e-5)


def test_a_stop_string_ends_the_response_and_is_kept(policy: Policy) -> None:
    free = run(policy, replace(SAMPLING, samples=16))
    words = [text.split() for text in free.texts]
    stop = next(f"{w[2]} {w[3]}" for w in words if len(w) > 6)  # spans two tokens
    rollout = run(policy, replace(SAMPLING, samples=16, stop=(stop,)))
    stopped = [i for i, text in enumerate(rollout.texts) if stop in text]
    assert stopped
    for row, text in enumerate(rollout.texts):
        if row in stopped:
            assert text.endswith(stop) or text.index(stop) + len(stop) > len(" ".join(text.split()[:-1]))
            assert rollout.finished[row]
            assert tokens(rollout, row) == tokens(free, row)[: len(tokens(rollout, row))]
        else:
            assert tokens(rollout, row) == tokens(free, row)


def test_the_rollout_can_be_used_under_autograd(policy: Policy) -> None:
    rollout = run(policy)
    assert not rollout.logp.is_inference()
    weight = torch.ones(1, requires_grad=True)
    (rollout.logp * weight).sum().backward()
    assert weight.grad is not None


def test_a_budget_beyond_the_context_names_the_key(policy: Policy) -> None:
    with pytest.raises(UserError, match=r"rollout\.max_tokens=100.*Take at most 51"):
        run(policy, replace(SAMPLING, max_tokens=100))


def test_a_begin_token_written_by_a_template_is_not_doubled(policy: Policy) -> None:
    ids, mask = policy.encode(["<s> 1 + 1 =", "1 + 1 ="])
    assert torch.equal(ids[0], ids[1])
    assert mask.all()


def test_progress_reaches_the_total(policy: Policy) -> None:
    calls: list[tuple[int, int]] = []
    generate(policy, PROMPTS, KEYS, replace(SAMPLING, batch_size=7), seed=0, progress=lambda *at: calls.append(at))
    assert calls[-1] == (24, 24)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize("stop", [(), ("7",)])
def test_how_often_rows_are_looked_at_cannot_be_seen(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, stop: tuple[str, ...]
) -> None:
    """As on a GPU: rows that have ended are fed on for a while, and nothing of them is recorded."""
    often = run(policy, replace(SAMPLING, stop=stop))
    assert len({len(tokens(often, row)) for row in range(24)}) > 3
    monkeypatch.setattr(continuous_batching, "steps_between_looks", lambda _: 5)
    seldom = run(policy, replace(SAMPLING, stop=stop))
    for name in ("response_ids", "mask", "finished"):
        assert torch.equal(getattr(often, name), getattr(seldom, name))
    assert often.texts == seldom.texts
    torch.testing.assert_close(often.logp, seldom.logp, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_size", [512, 7])
def test_each_response_is_reported_once_as_soon_as_it_is_over(policy: Policy, batch_size: int) -> None:
    told: dict[int, tuple[str, int, bool]] = {}
    at: list[int] = []
    sampled: list[int] = []

    def note(row: int, text: str, count: int, ended: bool) -> None:
        assert row not in told
        told[row] = text, count, ended
        at.append(len(sampled))

    with pytest.MonkeyPatch.context() as patch:
        sample = token_sampling.sample_token
        patch.setattr(continuous_batching, "sample_token", lambda *given: (sampled.append(1), sample(*given))[1])
        chosen = replace(SAMPLING, batch_size=batch_size)
        rollout = generate(policy, PROMPTS, KEYS, chosen, seed=0, report=note)
    counts = rollout.mask.sum(1).tolist()
    expected = dict(enumerate(zip(rollout.texts, counts, rollout.finished.tolist(), strict=True)))
    assert told == expected
    assert len(set(at)) > 3 and min(at) < max(at), "not all at the end"


def test_the_head_is_given_rows_of_their_own_not_slices_of_longer_states(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a slice, PyTorch copies a head that is not trained once for each prompt."""
    given: list[torch.Tensor] = []
    plain = torch.nn.Linear.forward

    def watched(layer: torch.nn.Linear, states: torch.Tensor) -> torch.Tensor:
        given.extend([states] if layer is policy.network.lm_head else [])
        return plain(layer, states)

    monkeypatch.setattr(torch.nn.Linear, "forward", watched)
    run(policy, SAMPLING)
    assert given and all(states.dim() == 2 or states.is_contiguous() for states in given)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_told_by_prompt_and_token(policy: Policy, temperature: float) -> None:
    """Only prompt d reads a 7."""
    broken = Policy(copy.deepcopy(policy.network), policy.tokenizer, policy.end_ids, policy.pad_id)
    with torch.no_grad():
        broken.network.get_input_embeddings().weight[policy.tokenizer.convert_tokens_to_ids("7")] = float("nan")
    told = r"^logits=nan or inf: at token 1 of a response to d .* model\.dtype=float32 or model\.attention=eager"
    with pytest.raises(NonFiniteLogits, match=told):
        run(broken, replace(SAMPLING, temperature=temperature, max_tokens=1))


def test_logits_that_turn_into_no_numbers_are_told_by_the_token_that_they_do_so_at(policy: Policy) -> None:
    """The embedding of a token that no prompt has is broken: the one sampled behind it has no probability."""
    rollout = run(policy)
    prompts = set(rollout.prompt_ids.flatten().tolist())
    rows = [(row, tokens(rollout, row)) for row in range(24)]
    later = [(found.index(t), t) for _, found in rows for t in found[:-1] if t not in prompts]
    place, token = min(later)
    broken = Policy(copy.deepcopy(policy.network), policy.tokenizer, policy.end_ids, policy.pad_id)
    with torch.no_grad():
        broken.network.get_input_embeddings().weight[token] = float("nan")
    with pytest.raises(NonFiniteLogits, match=f"at token {place + 2} of a response to"):
        run(broken)
