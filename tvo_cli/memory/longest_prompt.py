"""The longest prompt of a run: its limit, else the longest of the first problems where model and data are at hand."""

from __future__ import annotations

from typing import Any, NamedTuple

ASSUMED = 512  # tokens, where nothing is known
LOOKED_AT = 256  # problems
AT_HAND = ("arithmetic", "addition", "jsonl")  # kinds of data that need no network


class LongestPrompt(NamedTuple):
    """Tokens of the longest prompt, and how they are known."""

    tokens: int
    source: str


def longest_prompt(config: Any) -> LongestPrompt:
    """Return the longest prompt of a config's training problems."""
    limit = config.dataset.get("max_prompt_tokens")
    if limit is not None:
        return LongestPrompt(int(limit), "dataset.max_prompt_tokens")
    if str(config.dataset.kind) in AT_HAND and _is_model_here(str(config.model.path)):
        return LongestPrompt(_longest_of_first(config), f"of the first {LOOKED_AT} problems")
    return LongestPrompt(ASSUMED, "assumed; dataset.max_prompt_tokens bounds it")


def _longest_of_first(config: Any) -> int:
    from tvo_cli import data
    from tvo_cli.model.policy_loading import load_tokenizer
    from tvo_cli.model.prompt_encoding import encode_prompts

    tokenizer = load_tokenizer(config.model)
    problems = data.load(config.dataset, split="train", seed=int(config.seed))
    count = LOOKED_AT if problems.size is None else min(LOOKED_AT, problems.size)
    prompts = [data.render_prompt(problems.problem(i), config.model.prompt, tokenizer) for i in range(count)]
    return max(map(len, encode_prompts(tokenizer, prompts)))


def _is_model_here(path: str) -> bool:
    from pathlib import Path

    return path == "fresh" or path.startswith("packaged:") or Path(path).expanduser().is_dir()
