"""vLLM as the engine of an evaluation (extra: pip install vllm). Imported only when it is chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.model.decodable_tokens import decodable_tokens, end_token_ids
from tvo_cli.model.prompt_encoding import encode_prompts
from tvo_cli.rollout.decoding.stop_strings import stop_token_ids, stops_with_special_tokens
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.engines.engine import Completion, ReportCompletion
from tvo_cli.rollout.server_completion import ServedVocabulary

SEEDS = 2**31


class VllmEngine:
    """One request a completion, each with a seed of its own: batching then changes no draw.

    vLLM's kernels are not bitwise equal between batch sizes, so unlike this program's own loop a completion may
    still differ in the last bit of a logit.
    """

    def __init__(self, model: str, revision: str | None, dtype: str, options: Mapping[str, Any]) -> None:
        self._vllm, self._engine = start_vllm(model, revision, dtype, options)
        self._bias = {int(token): value for token, value in self._vocabulary().bias().items()}

    def _vocabulary(self) -> ServedVocabulary:
        """The tokens of the tokenizer, and the ids that end a response of the model."""
        network = self._engine.llm_engine.model_config
        ends = end_token_ids(network.try_get_generation_config().get("eos_token_id"), self.tokenizer)
        logits = int(network.get_vocab_size())
        return ServedVocabulary.of_decodable(decodable_tokens(self.tokenizer, ends, logits), ends, logits)

    @property
    def context(self) -> int | None:
        """What the engine was started with."""
        return int(self._engine.llm_engine.model_config.max_model_len)

    @property
    def batches_at_once(self) -> int:
        """One: its own scheduler fills the slots, and what it was asked at once is written at once."""
        return 1

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer, whose chat template renders prompts."""
        return self._engine.get_tokenizer()

    def lengths(self, prompts: Sequence[str]) -> list[int]:
        """Tokens of each prompt."""
        return list(map(len, encode_prompts(self.tokenizer, prompts)))

    def __call__(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        report: ReportCompletion | None = None,
    ) -> list[list[Completion]]:
        """All requests at once: the engine batches them itself, and reports none before all are over.

        It is given token ids, to which it adds no special tokens.
        """
        asked = [{"prompt_token_ids": ids} for ids in encode_prompts(self.tokenizer, prompts)]
        rows = [(p, k, g) for p, k in zip(asked, keys, strict=True) for g in range(sampling.samples)]
        wanted = [self._parameters(sampling, vllm_request_seed(seed, key, sample)) for _, key, sample in rows]
        outputs = self._engine.generate([prompt for prompt, _, _ in rows], wanted, use_tqdm=False)
        found = [self._completion(output.outputs[0]) for output in outputs]
        return [found[i : i + sampling.samples] for i in range(0, len(found), sampling.samples)]

    def _parameters(self, sampling: SamplingParams, seed: int) -> Any:
        """The stops as vLLM takes them: special tokens by their ids; with others among text it must show them."""
        ids = stop_token_ids(self.tokenizer, sampling.stop)
        marked = stops_with_special_tokens(self.tokenizer, sampling.stop)
        return self._vllm.SamplingParams(
            n=1,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k or -1,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop) or None,
            stop_token_ids=ids or None,
            include_stop_str_in_output=True,
            skip_special_tokens=not marked,
            logit_bias=self._bias or None,
            seed=seed,
        )

    def _completion(self, output: Any) -> Completion:
        """The response without special tokens, as this program's own loop reads it."""
        text = self.tokenizer.decode(output.token_ids, skip_special_tokens=True)
        return Completion(str(text), len(output.token_ids), output.finish_reason == "stop")


def start_vllm(model: str, revision: str | None, dtype: str, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """vLLM, and an engine of it that loads a model from safetensors and runs no remote code.

    Raises:
        UserError: it is not installed.
    """
    try:
        import vllm
    except ImportError as error:
        remedy = "Run: pip install vllm (Linux with a GPU), or leave rollout=default."
        raise UserError("rollout", "vllm", "vLLM is not installed.", remedy) from error
    chosen = {"model": model, "revision": revision, "dtype": dtype, **options}
    return vllm, vllm.LLM(**chosen | {"trust_remote_code": False, "load_format": "safetensors"})


def vllm_request_seed(seed: int, key: str, sample: int) -> int:
    """A seed for each (problem, sample)."""
    digest = hashlib.blake2b(f"{seed}\x1f{key}\x1f{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SEEDS
