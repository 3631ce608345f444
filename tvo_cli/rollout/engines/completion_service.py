"""Inference servers as a service that completes prompts of token ids: which of them is asked, and by which seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tvo_cli.errors import UserError
from tvo_cli.rollout.decoding.token_sampling import SamplingParams, first_samples
from tvo_cli.rollout.engines.served_rollout import Receive
from tvo_cli.rollout.server_client import ServerCall, ServerClient
from tvo_cli.rollout.server_completion import CompletionCheck, ServedTokens, completion_request

COMPLETIONS = "/v1/completions"


SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class CompletionService:
    """Servers of one model, as who completes prompts of token ids."""

    client: ServerClient
    model: str  # its name there

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
        """`sampling.samples` responses to each prompt, a request and a seed each; `receive` is given each as it comes.

        `taken`: the tokens of each response's budget that its prompt holds already; none where it is empty.

        Raises:
            UserError: one could not be had; none of the others is waited for then.
        """
        calls, checks = list[ServerCall](), list[CompletionCheck]()
        firsts = first_samples(keys, sampling.samples)
        for prompt, key, first, used in zip(prompts, keys, firsts, taken or [0] * len(keys), strict=True):
            left = replace(sampling, max_tokens=sampling.max_tokens - used)
            body = completion_request(self.model, prompt, left, *tokens)
            url = replica_of(key, self.client.urls)
            for sample in range(first, first + sampling.samples):
                told = f"{about}response {sample} to {key}"
                calls.append(ServerCall(url, COMPLETIONS, body | {"seed": request_seed(seed, key, sample)}, told))
                checks.append(CompletionCheck(url, told, body, tokens.vocabulary))
        self.client.run(calls, lambda row, answer: receive(row, checks[row].read(answer)))


def served_context(client: ServerClient, model: str) -> int | None:
    """Tokens of the shortest context where servers sample; None where they do not say.

    Raises:
        UserError: a server has no model of that name.
    """
    lengths: list[int] = []
    for url, answer in zip(client.urls, client.at_all("/v1/models", None, ""), strict=True):
        served = {one.get("id"): one for one in (answer or {}).get("data", ())}
        if model not in served:
            names = ", ".join(map(str, served)) or "no model"
            problem = f"{url} serves {names}."
            raise UserError("rollout.model", model, problem, "Give the name that its --served-model-name is.")
        length = served[model].get("max_model_len")
        lengths += [int(length)] if length else []
    return min(lengths, default=None)


def request_seed(seed: int, key: str, sample: int) -> int:
    """A seed for each (problem, sample)."""
    digest = hashlib.blake2b(f"{seed}\x1f{key}\x1f{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SEEDS


def replica_of(key: str, urls: Sequence[str]) -> str:
    """The replica that a problem is dealt to: by the hash of its key, so that its samples share their prompt there."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return urls[int.from_bytes(digest, "big") % len(urls)]
