"""A completion of a server: what is asked for it, and what of the answer is checked before anybody learns from it.

Token ids go out and come back, never text: what is tokenised again need not be the tokens that were sampled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.decodable_tokens import DecodableTokens
from tvo_cli.rollout.decoding.stop_strings import stop_token_ids, stops_with_special_tokens
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.server_client import TransientError

# Said although they change nothing: a server takes those that are not said from the model's generation_config.json.
NEUTRAL = {"min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
NEVER = -100.0  # the lowest bias of a logit
MOST_BIASED = 1024  # tokens that are biased one by one, in every request
SLACK = 1e-3  # a log-probability above 0 by rounding
VERSION = "Take vLLM 0.32 or later, which gives them."


class ServedResponse(NamedTuple):
    """The response of a server's completion: its tokens, log π of each under the server's model, whether it ended."""

    ids: tuple[int, ...]
    logp: tuple[float, ...]
    finished: bool


@dataclass(frozen=True, slots=True)
class ServedVocabulary:
    """The tokens that a policy has a name for, and those that end its responses."""

    size: int  # ids from here on are no tokens
    holes: frozenset[int]  # ids below `size` that are none
    end_ids: frozenset[int]
    logits: int  # of the network, for tokens and for what is none

    @classmethod
    def of(cls, policy: Policy) -> ServedVocabulary:
        """Of a policy."""
        logits = int(policy.network.config.get_text_config().vocab_size)
        return cls.of_decodable(policy.head.decodable, policy.end_ids, logits)

    @classmethod
    def of_decodable(cls, decodable: DecodableTokens, end_ids: frozenset[int], logits: int) -> ServedVocabulary:
        """Of a network with so many logits, of which these can be decoded."""
        size = logits if decodable.width is None else decodable.width
        return cls(size, frozenset(decodable.holes), end_ids, logits)

    def holds(self, token: object) -> bool:
        """Whether something is the id of a token."""
        return type(token) is int and 0 <= token < self.size and token not in self.holes

    def bias(self) -> dict[str, float]:
        """The logit biases that keep a server from sampling what is no token; none where these are too many."""
        names = [*sorted(self.holes), *range(self.size, self.logits)]
        return {str(token): NEVER for token in names} if len(names) <= MOST_BIASED else {}


class ServedTokens(NamedTuple):
    """The tokens that a server's completion and this program share."""

    tokenizer: Any
    vocabulary: ServedVocabulary


def completion_request(
    model: str, prompt: Sequence[int], sampling: SamplingParams, tokenizer: Any, vocabulary: ServedVocabulary
) -> dict[str, Any]:
    """The body of a request for one completion, its seed apart."""
    ends = sorted({*vocabulary.end_ids, *stop_token_ids(tokenizer, sampling.stop)})
    bias = vocabulary.bias()
    return {
        "model": model,
        "prompt": list(prompt),
        "n": 1,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        **NEUTRAL,
        "stop": list(sampling.stop),
        "stop_token_ids": ends,
        "include_stop_str_in_output": True,
        "skip_special_tokens": not stops_with_special_tokens(tokenizer, sampling.stop),
        "logprobs": 0,  # of the sampled token alone
        "return_token_ids": True,
        **({"logit_bias": bias} if bias else {}),
    }


@dataclass(frozen=True, slots=True)
class CompletionCheck:
    """Reads an answer, or says what is wrong with it."""

    url: str
    about: str  # which response of which step
    request: Mapping[str, Any]
    vocabulary: ServedVocabulary
    key: str = "rollout.url"  # that an error names

    def read(self, answer: Any) -> ServedResponse:
        """The response of an answer.

        Raises:
            TransientError: it was aborted: to be asked for again.
            UserError: it is none that can be trained on.
        """
        choice = self._choice(answer)
        reason = choice.get("finish_reason")
        if reason not in ("stop", "length"):
            remedy = "An aborted answer is never trained on. Who else pauses, updates or stops this server?"
            raise TransientError(f"the answer ended by {reason!r} and not by itself", remedy)
        ids = self._ids(choice)
        self._check_prompt(choice)
        self._check_end(ids, str(reason))
        return ServedResponse(tuple(ids), tuple(self._logp(choice, ids)), reason == "stop")

    def _choice(self, answer: Any) -> Mapping[str, Any]:
        try:
            found = answer["choices"][0]
        except (TypeError, KeyError, IndexError):
            found = None
        if not isinstance(found, Mapping):
            raise self._wrong("the answer holds no completion.", "Is this the address of a vLLM server?")
        return found

    def _ids(self, choice: Mapping[str, Any]) -> list[int]:
        ids = choice.get("token_ids")
        if not isinstance(ids, list) or not ids:
            raise self._wrong("the answer has no token ids, and text is not tokenised again.", VERSION)
        foreign = [token for token in ids if not self.vocabulary.holds(token)]
        if foreign:
            problem = f"the answer has the token id {foreign[0]}, and the policy has no such token."
            raise self._wrong(problem, "The server must serve the model that is trained.")
        return ids

    def _check_prompt(self, choice: Mapping[str, Any]) -> None:
        read = choice.get("prompt_token_ids")
        if read is not None and read != self.request["prompt"]:
            raise self._wrong("the server completed another prompt than it was given.", "It must not change the ids.")

    def _check_end(self, ids: Sequence[int], reason: str) -> None:
        """Refuse a response that goes on behind its end token, or ends without a reason that was asked for."""
        ends, most = set(self.request["stop_token_ids"]), self.request["max_tokens"]
        if ends.intersection(ids[:-1]) or len(ids) > most:
            raise self._wrong("the answer goes on behind its end.", "The server must obey stop_token_ids, max_tokens.")
        if reason == "length" and len(ids) < most:
            problem = f"the server ended the answer after {len(ids)} of {most} tokens."
            raise self._wrong(problem, "Start it with a longer --max-model-len, or lower rollout.max_tokens.")
        if reason == "stop" and ids[-1] not in ends and not self.request["stop"]:
            problem = f"the server ended the answer at the token id {ids[-1]}, which ends no response of the policy."
            raise self._wrong(problem, "Its generation_config.json names other end tokens than the trained model's.")

    def _logp(self, choice: Mapping[str, Any], ids: Sequence[int]) -> list[float]:
        node = choice.get("logprobs")
        found = node.get("token_logprobs") if isinstance(node, Mapping) else None
        if not isinstance(found, list) or len(found) != len(ids) or not all(map(is_logprob, found)):
            raise self._wrong("the answer has not a log-probability for each of its tokens.", VERSION)
        return [min(float(value), 0.0) for value in found]

    def _wrong(self, problem: str, remedy: str) -> UserError:
        return UserError(self.key, self.url, f"{self.about}: {problem}", remedy)


def is_logprob(value: object) -> bool:
    """Whether a number of an answer can be a log-probability."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value <= SLACK


def prompt_logprobs(choice: dict[str, Any], prompt: Sequence[int]) -> tuple[float, ...]:
    """log π of the prompt's tokens but the first, of an answer's choice; nothing where a server does not say."""
    nodes = choice.get("prompt_logprobs")
    if not isinstance(nodes, list) or len(nodes) != len(prompt):
        return ()
    found = [(node or {}).get(str(token), {}).get("logprob") for node, token in zip(nodes[1:], prompt[1:], strict=True)]
    return tuple(map(float, found)) if all(map(is_logprob, found)) else ()
