"""A stand-in of vLLM as a library, with a tiny model behind it, that sleeps and forgets as vLLM does."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from tests.stand_in_server import NODE, complete
from tvo_cli.model.loading.policy_loading import load_policy

Json = dict[str, Any]


class StandInLLM:
    """vllm.LLM, as far as a run uses it; `calls` are in order, of all that were started."""

    calls: ClassVar[list[str]] = []
    stale_from: ClassVar[int] = 99  # exchanges that are taken over; the rest are not
    finish: ClassVar[str | None] = None  # a finish reason in place of the right one
    name = "vllm"

    def __init__(self, **options: Any) -> None:
        self.options, self.awake, self.exchanges = options, True, 0
        torch.manual_seed(0)  # as vLLM does
        self.policy = load_policy({**NODE, "path": options["model"]}, device="cpu")

    def collective_rpc(self, method: str, kwargs: dict[str, Iterable[tuple[str, Tensor]]]) -> None:
        assert self.awake and method == "reload_weights"
        self.calls.append("reload")
        found = dict(kwargs["weights_iterator"])
        self.exchanges += 1
        if self.exchanges < self.stale_from:
            self.policy.network.load_state_dict(found, strict=False)

    def reset_prefix_cache(self) -> bool:
        self.calls.append("reset")
        return True

    def sleep(self, level: int) -> None:
        assert self.awake and level == 1, "deeper, it would forget its weights"
        self.calls.append("sleep")
        self.awake = False

    def wake_up(self) -> None:
        assert not self.awake
        self.calls.append("wake")
        self.awake = True

    def generate(self, prompts: list[Json], wanted: list[SimpleNamespace], use_tqdm: bool) -> list[Any]:
        assert self.awake
        self.calls.append("probe" if hasattr(wanted[0], "prompt_logprobs") else "generate")
        return [
            self._output(prompt["prompt_token_ids"], vars(one)) for prompt, one in zip(prompts, wanted, strict=True)
        ]

    def _output(self, prompt: list[int], wanted: Json) -> Any:
        choice = complete(self, {**wanted, "model": self.name, "prompt": prompt})["choices"][0]
        logp = zip(choice["token_ids"], choice["logprobs"]["token_logprobs"], strict=True)
        scored = [
            node and {int(token): SimpleNamespace(**one) for token, one in node.items()}
            for node in choice.get("prompt_logprobs", ())
        ]
        one = SimpleNamespace(
            token_ids=choice["token_ids"],
            finish_reason=self.finish or choice["finish_reason"],
            logprobs=[{token: SimpleNamespace(logprob=value)} for token, value in logp],
        )
        return SimpleNamespace(outputs=[one], prompt_logprobs=scored or None)
