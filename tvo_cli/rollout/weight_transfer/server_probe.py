"""The weight probe at servers: a completion whose prompt is scored too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.server_client import ServerCall, ServerClient
from tvo_cli.rollout.server_completion import CompletionCheck, ServedVocabulary, completion_request, prompt_logprobs


@dataclass(frozen=True, slots=True)
class ServerProbe:
    """Asks every server for the probe, by its address."""

    client: ServerClient
    model: str  # its name there
    key: str = field(default="rollout.url", init=False)

    def score(
        self, policy: Policy, prompt: Sequence[int], sampling: SamplingParams, about: str
    ) -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
        """See `ProbedEngines.score`."""
        vocabulary = ServedVocabulary.of(policy)
        body = completion_request(self.model, prompt, sampling, policy.tokenizer, vocabulary)
        body |= {"seed": 0, "prompt_logprobs": 0}
        told = f"{about}, probe"
        found: dict[str, tuple[tuple[int, ...], tuple[float, ...]]] = {}

        def read(number: int, answer: Any) -> None:
            url = self.client.urls[number]
            response = CompletionCheck(url, told, body, vocabulary).read(answer)
            scored = prompt_logprobs(answer["choices"][0], prompt)
            found[url] = ((*prompt, *response.ids), (*scored, *response.logp))

        self.client.run([ServerCall(url, "/v1/completions", body, told) for url in self.client.urls], read)
        return {url: found[url] for url in self.client.urls}
