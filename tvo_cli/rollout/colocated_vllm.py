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

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.rollout.served_rollout import Receive, rollout_of_responses
from tvo_cli.rollout.served_weights import gather_served_weights
from tvo_cli.rollout.server_client import TransientError
from tvo_cli.rollout.server_completion import AnswerCheck, ServedVocabulary, completion_request, request_seed
from tvo_cli.rollout.server_probe import prompt_scores
from tvo_cli.rollout.token_sampling import SamplingParams
from tvo_cli.rollout.vllm_engine import start_vllm
from tvo_cli.rollout.weight_probe import WeightProbe
from tvo_cli.types import Rollout

ENGINE = "vllm"
OF_HTTP = ("model", "prompt", "return_token_ids")  # of a request; the rest are vLLM's own sampling parameters


def start_colocated_vllm(place: str, revision: str | None, dtype: str, options: Mapping[str, Any], sleeps: bool) -> Any:
    """vLLM's engine, in this process, where it takes tensors as they are; `options` are its own keywords."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    own = {"logprobs_mode": "processed_logprobs", "enable_sleep_mode": sleeps}
    return start_vllm(place, revision, dtype, own | dict(options))


@dataclass(slots=True)
class ColocatedVllm:
    """Who is handed a policy's weights and completes prompts of token ids."""

    vllm: Any  # the module
    engine: Any
    sleeps: bool
    key: str = field(default="rollout", init=False)
    _asleep: bool = field(default=False, init=False)

    @contextmanager
    def awake(self) -> Iterator[Any]:
        """Inside it computes, in its own precision; it wakes for it, with the weights that it had."""
        if self._asleep:
            torch.cuda.empty_cache()
            self.engine.wake_up()
            self._asleep = False
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False), torch.no_grad():
            yield self.engine

    def sleep(self) -> None:
        """Leave the GPU to the trainer."""
        if self.sleeps:
            self.engine.sleep(level=1)
            self._asleep = True

    def load(self, policy: Policy) -> None:
        """Take a policy's weights over, and forget what was cached of the former ones."""
        weights = gather_served_weights(policy)
        with self.awake() as engine:
            engine.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(weights.items())})
            engine.reset_prefix_cache()

    def complete(self, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Answers to requests, as a server gives them."""
        asked = [{"prompt_token_ids": body["prompt"]} for body in bodies]
        wanted = [
            self.vllm.SamplingParams(**{name: value for name, value in body.items() if name not in OF_HTTP})
            for body in bodies
        ]
        with self.awake() as engine:
            return [_answer(output) for output in engine.generate(asked, wanted, use_tqdm=False)]

    def score(
        self, policy: Policy, prompt: Sequence[int], sampling: SamplingParams, about: str
    ) -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
        """See `ProbedEngines.score`."""
        body = _request(prompt, sampling, policy) | {"seed": 0, "prompt_logprobs": 0}
        (answer,) = self.complete([body])
        response = _check(f"{about}, probe", body, policy).read(answer)
        scored = prompt_scores(answer["choices"][0], prompt)
        return {ENGINE: ((*prompt, *response.ids), (*scored, *response.logp))}


@dataclass(slots=True)
class ColocatedSampler:
    """Samples rollouts from an engine in this process that is handed the policy's weights before."""

    engine: ColocatedVllm
    probe: WeightProbe
    version: tuple[int, int] | None = None  # of the weights that it holds: step, returns to earlier ones
    exchanges: bool = field(default=True, init=False)

    @property
    def _about(self) -> str:
        return "" if self.version is None else f"step {self.version[0] + 1}"

    def write(self, policy: Policy, *, writes: bool) -> bool:
        """Nothing to do: the weights are here."""
        return True

    def hand_over(self, policy: Policy) -> bool:
        """Have the engine take the weights over, and score the probe; it stays awake."""
        self.engine.load(policy)
        self.probe.check(policy, self._about)
        return True

    def __call__(
        self,
        policy: Policy,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        *,
        seed: int,
        prefixes: ResponsePrefixes | None = None,
    ) -> Rollout:
        """A rollout of what the engine answers, all requests at once; it sleeps afterwards."""

        def complete(asked: Sequence[Sequence[int]], taken: Sequence[int], receive: Receive) -> None:
            bodies, told = list[dict[str, Any]](), list[str]()
            for ids, key, used in zip(asked, keys, taken, strict=True):
                body = _request(ids, replace(sampling, max_tokens=sampling.max_tokens - used), policy)
                samples = range(sampling.samples)
                bodies += [body | {"seed": request_seed(seed, key, sample)} for sample in samples]
                told += [f"{self._about}, response {sample} to {key}" for sample in samples]
            for row, answer in enumerate(self.engine.complete(bodies)):
                receive(row, _check(told[row], bodies[row], policy).read(answer))

        try:
            return rollout_of_responses(policy, prompts, sampling, complete, prefixes)
        except TransientError as error:
            raise UserError("rollout", ENGINE, f"{self._about}: {error.problem}.", error.remedy) from error
        finally:
            self.engine.sleep()


def _request(prompt: Sequence[int], sampling: SamplingParams, policy: Policy) -> dict[str, Any]:
    body = completion_request(ENGINE, prompt, sampling, policy.tokenizer, ServedVocabulary.of(policy))
    bias = {int(token): value for token, value in body.get("logit_bias", {}).items()}
    return body | ({"logit_bias": bias} if bias else {})


def _check(about: str, body: Mapping[str, Any], policy: Policy) -> AnswerCheck:
    return AnswerCheck(ENGINE, about, body, ServedVocabulary.of(policy), key="rollout")


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
