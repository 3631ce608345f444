"""vLLM in the trainer's own process and on its GPU: it samples, and sleeps while the trainer learns.

Asleep it holds no memory of the GPU: its weights lie in the host's, its cache nowhere. Weights are handed over as they
are, tensor by tensor, and asked for and checked as those of a server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.token_sampling import SamplingParams, first_samples
from tvo_cli.rollout.engines.completion_service import request_seed
from tvo_cli.rollout.engines.served_rollout import Receive
from tvo_cli.rollout.engines.vllm_engine import start_vllm
from tvo_cli.rollout.server_client import TransientError
from tvo_cli.rollout.server_completion import (
    CompletionCheck,
    ServedTokens,
    ServedVocabulary,
    completion_request,
    prompt_logprobs,
)
from tvo_cli.rollout.weight_transfer.served_weights import gather_served_weights

ENGINE = "vllm"
OF_HTTP = ("model", "prompt", "return_token_ids")  # of a request; the rest are vLLM's own sampling parameters


def start_colocated_vllm(place: str, revision: str | None, dtype: str, options: Mapping[str, Any], sleeps: bool) -> Any:
    """vLLM's engine, in this process, where it takes tensors as they are; `options` are its own keywords."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    own = {"logprobs_mode": "processed_logprobs", "enable_sleep_mode": sleeps}
    return start_vllm(place, revision, dtype, own | dict(options))


@dataclass(slots=True)
class ColocatedVllm:
    """Who completes prompts of token ids, by weights that are handed over before: a service and an exchange in one."""

    vllm: Any  # the module
    engine: Any
    sleeps: bool
    key: str = field(default="rollout", init=False)
    _asleep: bool = field(default=False, init=False)
    _weights: dict[str, Tensor] = field(default_factory=dict, init=False)

    @contextmanager
    def awake(self) -> Iterator[Any]:
        """Inside it computes, in its own precision; it wakes for it, with the weights that it had."""
        if self._asleep:
            torch.cuda.empty_cache()
            self.engine.wake_up()
            self._asleep = False
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False), torch.no_grad():
            yield self.engine

    def write(self, policy: Policy, *, writes: bool = True) -> None:
        """Name the policy's weights, an adapter merged."""
        self._weights = gather_served_weights(policy, keep=writes)

    def load(self, version: str, about: str) -> None:
        """Have the engine take the weights over, and forget what was cached of the former ones; it stays awake."""
        weights, self._weights = self._weights, {}
        with self.awake() as engine:
            engine.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(weights.items())})
            engine.reset_prefix_cache()

    def confirm(self, about: str) -> None:
        """All is sampled, and nobody else has its weights: leave the GPU to the trainer."""
        if self.sleeps:
            self.engine.sleep(level=1)
            self._asleep = True

    def clean_up(self) -> None:
        """Nothing to do: it goes with the process."""

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        tokens: ServedTokens,
        receive: Receive,
        about: str = "",
        taken: Sequence[int] = (),
    ) -> None:
        """`sampling.samples` responses to each prompt, a seed each, all at once; see `Completer.complete`."""
        bodies, told = list[dict[str, Any]](), list[str]()
        firsts = first_samples(keys, sampling.samples)
        for prompt, key, first, used in zip(prompts, keys, firsts, taken or [0] * len(keys), strict=True):
            body = _request(prompt, replace(sampling, max_tokens=sampling.max_tokens - used), tokens)
            samples = range(first, first + sampling.samples)
            bodies += [body | {"seed": request_seed(seed, key, sample)} for sample in samples]
            told += [f"{about}response {sample} to {key}" for sample in samples]
        for row, answer in enumerate(self._answers(bodies)):
            try:
                receive(row, CompletionCheck(ENGINE, told[row], bodies[row], tokens.vocabulary, self.key).read(answer))
            except TransientError as error:
                raise UserError(self.key, ENGINE, f"{told[row]}: {error.problem}.", error.remedy) from error

    def score(
        self, policy: Policy, prompt: Sequence[int], sampling: SamplingParams, about: str
    ) -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
        """See `ProbedEngines.score`."""
        tokens = ServedTokens(policy.tokenizer, ServedVocabulary.of(policy))
        body = _request(prompt, sampling, tokens) | {"seed": 0, "prompt_logprobs": 0}
        (answer,) = self._answers([body])
        response = CompletionCheck(ENGINE, f"{about}, probe", body, tokens.vocabulary, self.key).read(answer)
        return {ENGINE: ((*prompt, *response.ids), (*prompt_logprobs(answer["choices"][0], prompt), *response.logp))}

    def _answers(self, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answers to requests, as a server gives them."""
        asked = [{"prompt_token_ids": body["prompt"]} for body in bodies]
        own = [{name: value for name, value in body.items() if name not in OF_HTTP} for body in bodies]
        with self.awake() as engine:
            outputs = engine.generate(asked, [self.vllm.SamplingParams(**one) for one in own], use_tqdm=False)
        return [_answer(output) for output in outputs]


def _request(prompt: Sequence[int], sampling: SamplingParams, tokens: ServedTokens) -> dict[str, Any]:
    """What vLLM in this process is asked for a prompt: the body of a server's completion, token ids as numbers."""
    body = completion_request(ENGINE, prompt, sampling, *tokens)
    bias = {int(token): value for token, value in body.get("logit_bias", {}).items()}
    return body | ({"logit_bias": bias} if bias else {})


def _answer(output: Any) -> dict[str, Any]:
    """What vLLM says in this process, as it says it over HTTP."""
    found = output.outputs[0]
    logp = [step[token].logprob for token, step in zip(found.token_ids, found.logprobs or ())]
    prompt = [
        node and {str(token): {"logprob": one.logprob} for token, one in node.items()}
        for node in output.prompt_logprobs or ()
    ]
    choice = {"token_ids": list(found.token_ids), "finish_reason": found.finish_reason, "prompt_logprobs": prompt}
    return {"choices": [choice | {"logprobs": {"token_logprobs": logp}}]}
