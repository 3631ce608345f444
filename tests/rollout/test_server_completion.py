"""What is asked of a server for a completion, and what of an answer is refused before anybody learns from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.rollout.decoding.test_stop_strings import END, chat_tokenizer
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.server_client import TransientError
from tvo_cli.rollout.server_completion import CompletionCheck, ServedVocabulary, completion_request

VOCABULARY = ServedVocabulary(size=40, holes=frozenset({7}), end_ids=frozenset({2}), logits=43)
PROMPT = [1, 5, 6]


def request(stop: tuple[str, ...] = (), **sampling: float) -> dict[str, Any]:
    chosen = SamplingParams(samples=2, max_tokens=4, stop=stop, **sampling)  # type: ignore[arg-type]
    return completion_request("policy", PROMPT, chosen, chat_tokenizer(), VOCABULARY)


def read(stop: tuple[str, ...] = (), **changed: Any) -> Any:
    choice = {"token_ids": [3, 4, 2], "prompt_token_ids": PROMPT, "finish_reason": "stop"}
    choice |= {"logprobs": {"token_logprobs": [-0.5, -1.0, 0.0]}} | changed
    kept = {name: value for name, value in choice.items() if value is not None}
    return CompletionCheck("http://a", "step 3, response 1 to k", request(stop), VOCABULARY).read({"choices": [kept]})


def test_an_answer_becomes_a_response() -> None:
    assert read() == ((3, 4, 2), (-0.5, -1.0, 0.0), True)
    cut = read(token_ids=[3, 4, 5, 6], finish_reason="length", logprobs={"token_logprobs": [-1.0] * 4})
    assert cut.finished is False
    assert read(prompt_token_ids=None).ids == (3, 4, 2), "a server need not repeat the prompt"
    assert read(("x",), token_ids=[3, 4, 9]).ids == (3, 4, 9), "a stop string ends at any token"


WRONG = [
    ({"token_ids": None}, "no token ids"),
    ({"token_ids": []}, "no token ids"),
    ({"token_ids": "3 4 2"}, "no token ids"),
    ({"token_ids": [3, 40, 2]}, "the token id 40, and the policy has no such token"),
    ({"token_ids": [3, 7, 2]}, "the token id 7,"),
    ({"token_ids": [3, -1, 2]}, "the token id -1,"),
    ({"token_ids": [3, True, 2]}, "the token id True,"),
    ({"token_ids": [3, 2, 2]}, "goes on behind its end"),
    ({"token_ids": [3, 3, 3, 3, 2], "logprobs": {"token_logprobs": [-1.0] * 5}}, "goes on behind its end"),
    ({"token_ids": [3, 4, 5]}, "ended the answer at the token id 5"),
    ({"finish_reason": "length"}, "after 3 of 4 tokens"),
    ({"prompt_token_ids": [1, 5]}, "completed another prompt"),
    ({"logprobs": None}, "not a log-probability for each"),
    ({"logprobs": {"token_logprobs": [-0.5, -1.0]}}, "not a log-probability for each"),
    ({"logprobs": {"token_logprobs": [-0.5, None, 0.0]}}, "not a log-probability for each"),
    ({"logprobs": {"token_logprobs": [-0.5, float("nan"), 0.0]}}, "not a log-probability for each"),
    ({"logprobs": {"token_logprobs": [-0.5, 0.7, 0.0]}}, "not a log-probability for each"),
]


@pytest.mark.parametrize(("changed", "said"), WRONG)
def test_an_answer_that_cannot_be_learned_from_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=rf"^rollout\.url=http://a: step 3, response 1 to k: .*{said}"):
        read(**changed)


@pytest.mark.parametrize("reason", ["abort", "error", "repetition", None])
def test_an_answer_that_did_not_end_by_itself_is_asked_for_again(reason: str | None) -> None:
    with pytest.raises(TransientError, match=f"ended by {reason!r}"):
        read(finish_reason=reason)


@pytest.mark.parametrize("answer", [None, [], {}, {"choices": []}, {"choices": ["x"]}, {"error": "x"}])
def test_what_is_no_completion_is_refused(answer: object) -> None:
    with pytest.raises(UserError, match="holds no completion"):
        CompletionCheck("http://a", "probe", request(), VOCABULARY).read(answer)


def test_a_request_says_all_that_a_server_would_choose_itself() -> None:
    body = request(temperature=0.0, top_k=5)
    assert (body["temperature"], body["top_p"], body["top_k"], body["n"]) == (0.0, 1.0, 5, 1)
    assert body["repetition_penalty"] == 1.0 and body["min_p"] == 0.0
    assert body["prompt"] == PROMPT and body["return_token_ids"] is True and body["logprobs"] == 0
    assert body["logit_bias"] == {"7": -100.0, "40": -100.0, "41": -100.0, "42": -100.0}, "ids that are no token"


def test_stops_are_ids_where_they_are_special_tokens() -> None:
    end = chat_tokenizer().convert_tokens_to_ids(END)
    assert request((END,))["stop_token_ids"] == sorted({2, end})
    assert request((END + "\n",))["skip_special_tokens"] is False
    assert request(("\n",))["skip_special_tokens"] is True and request(("\n",))["stop"] == ["\n"]


def test_every_token_of_a_policy_may_be_sampled_and_no_other(policy: Policy) -> None:
    found = ServedVocabulary.of(policy)
    ids = sorted(policy.tokenizer.get_vocab().values())
    assert [token for token in range(-1, found.logits + 2) if found.holds(token)] == ids
    assert replace(found, logits=found.size + 5000).bias() == {}, "too many to be said in each request"
