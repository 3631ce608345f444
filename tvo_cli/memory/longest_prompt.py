"""The longest prompt of a run: its limit, else the longest of the first problems where model and data are at hand."""

from __future__ import annotations

from typing import Any, NamedTuple

from tvo_cli.config import resolved_tree
from tvo_cli.model.model_files.model_location import FRESH, folder_at_hand

ASSUMED = 512  # tokens, where nothing is known
LOOKED_AT = 256  # problems
ELSEWHERE = ("hub",)  # kinds of data that may need the network


class LongestPrompt(NamedTuple):
    """Tokens of the longest prompt, and how they are known."""

    tokens: int
    source: str


def longest_prompt(config: Any) -> LongestPrompt:
    """Return the longest prompt of a config's training problems."""
    limit = config.dataset.get("max_prompt_tokens")
    if limit is not None:
        return LongestPrompt(int(limit), "dataset.max_prompt_tokens")
    if are_prompts_at_hand(config):
        return LongestPrompt(_longest_of_first(config), f"of the first {LOOKED_AT} problems")
    return LongestPrompt(ASSUMED, "assumed; dataset.max_prompt_tokens bounds it")


def are_prompts_at_hand(config: Any) -> bool:
    """Return whether a config's prompts can be encoded without the network."""
    return not is_data_elsewhere(config.dataset) and _is_model_here(config.model)


def _longest_of_first(config: Any) -> int:
    """The tokens of the longest of the first problems' prompts."""
    from tvo_cli import data
    from tvo_cli.model.loading.tokenizer_loading import load_tokenizer
    from tvo_cli.model.prompt_encoding import encode_prompts

    tokenizer = load_tokenizer(config.model)
    problems = data.load(config.dataset, split="train", seed=int(config.seed))
    count = LOOKED_AT if problems.size is None else min(LOOKED_AT, problems.size)
    node = resolved_tree(config.model.prompt)  # once, not for each problem
    prompts = [data.render_prompt(problems.problem(i), node, tokenizer) for i in range(count)]
    return max(map(len, encode_prompts(tokenizer, prompts)))


def is_data_elsewhere(node: Any) -> bool:
    """Return whether reading the data, or those of a source of a mixture, may need the network."""
    kinds = [node.kind, *(source.kind for source in (node.get("sources") or {}).values())]
    return any(str(kind) in ELSEWHERE for kind in kinds)


def _is_model_here(node: Any) -> bool:
    """Return whether the tokenizer can be read without the network."""
    return str(node.path) == FRESH or folder_at_hand(node) is not None
