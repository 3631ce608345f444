"""Prompts: from a problem to the text that the policy continues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tvo_cli.data.chat_template import choose_template, render_chat_template
from tvo_cli.data.special_tokens import hide_special_tokens, restore_special_tokens
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render_prompt(problem: Problem, prompt_node: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase | None) -> str:
    """Render the prompt of `problem` under model.prompt: {template, system, suffix, chat_template_kwargs}.

    plain: system, earlier turns, question + suffix (verbatim), with blank lines between them.
    chat: the tokenizer's own template over the system message, earlier turns and the user's, ready for the answer.
    auto: chat where the tokenizer has a template, else plain.
    A suffix that is null is the problem's own, which the sources of a mixture bring.
    Special tokens in the texts of the problem are plain text (data/special_tokens.py).
    """
    return compose_prompt(hide_special_tokens(problem, tokenizer), prompt_node, tokenizer)


def compose_prompt(problem: Problem, prompt_node: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase | None) -> str:
    """Compose a prompt from a problem whose special tokens are hidden, and put these back."""
    template = choose_template(prompt_node.get("template"), tokenizer)
    system, keywords = prompt_node.get("system") or "", prompt_node.get("chat_template_kwargs") or {}
    _check_one_system_message(problem, system)
    suffix = prompt_node.get("suffix")
    request = problem.question + (problem.suffix if suffix is None else suffix)
    if template == "chat":
        first = [("system", system)] if system else []
        text = render_chat_template([*first, *problem.turns, ("user", request)], tokenizer, keywords)
        return restore_special_tokens(text, tokenizer, templated=True)
    if template != "plain":
        raise UserError("model.prompt.template", template, "is not a prompt template.", "Choose plain, chat or auto.")
    _check_keywords_are_used(keywords)
    text = "\n\n".join(filter(None, (system, *(text for _, text in problem.turns), request)))
    return restore_special_tokens(text, tokenizer)


def _check_keywords_are_used(keywords: Mapping[str, Any]) -> None:
    """Refuse keywords of a chat template where there is none."""
    if keywords:
        raise UserError(
            "model.prompt.chat_template_kwargs",
            dict(keywords),
            "is not used: the prompt is plain.",
            "Take model.prompt.template=chat, or leave it out.",
        )


def _check_one_system_message(problem: Problem, system: str) -> None:
    """Refuse a system message where the problem brings its own."""
    if system and any(role in ("system", "developer") for role, _ in problem.turns):
        raise UserError(
            "model.prompt.system",
            system,
            f"problem {problem.id} brings a system message of its own.",
            "Set model.prompt.system=null, or read the user's turn alone: dataset.columns.question=prompt.1.content",
        )
