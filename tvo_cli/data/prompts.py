"""Prompts: from a problem to the text that the policy continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tvo_cli.data.special_tokens import hide_special_tokens, restore_special_tokens
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render_prompt(problem: Problem, prompt_node: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase | None) -> str:
    """Render the prompt of `problem` under model.prompt: {template: plain | chat, system, suffix}.

    plain: system, earlier turns, question + suffix (verbatim), with blank lines between them.
    chat: the tokenizer's own template over the system message, earlier turns and the user's, ready for the answer.
    Special tokens in the texts of the problem are plain text (data/special_tokens.py).
    """
    return restore_special_tokens(
        compose_prompt(hide_special_tokens(problem, tokenizer), prompt_node, tokenizer), tokenizer
    )


def compose_prompt(problem: Problem, prompt_node: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase | None) -> str:
    """Compose a prompt whose special tokens are hidden, or meant."""
    template = prompt_node.get("template") or "plain"
    system = prompt_node.get("system") or ""
    _check_one_system_message(problem, system)
    request = problem.question + (prompt_node.get("suffix") or "")
    if template == "plain":
        return "\n\n".join(filter(None, (system, *(text for _, text in problem.turns), request)))
    if template == "chat":
        first = [("system", system)] if system else []
        return _render_chat_template([*first, *problem.turns, ("user", request)], tokenizer)
    raise UserError("model.prompt.template", template, "is not a prompt template.", "Choose plain or chat.")


def _check_one_system_message(problem: Problem, system: str) -> None:
    """Refuse a system message where the problem brings its own."""
    if system and any(role in ("system", "developer") for role, _ in problem.turns):
        raise UserError(
            "model.prompt.system",
            system,
            f"problem {problem.id} brings a system message of its own.",
            "Set model.prompt.system=null, or read the user's turn alone: dataset.columns.question=prompt.1.content",
        )


def _render_chat_template(turns: Sequence[tuple[str, str]], tokenizer: PreTrainedTokenizerBase | None) -> str:
    """Render a conversation by the tokenizer's chat template."""
    if tokenizer is None or not getattr(tokenizer, "chat_template", None):
        raise UserError(
            "model.prompt.template",
            "chat",
            "the model's tokenizer has no chat template.",
            "Use model.prompt.template=plain, or an instruction-tuned model.",
        )
    messages = [{"role": role, "content": text} for role, text in turns]
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except TemplateError as error:
        raise UserError(
            "model.prompt.system",
            [message["role"] for message in messages],
            f"the tokenizer's chat template refuses it: {error}.",
            "Many templates know no system message: put its text into model.prompt.suffix.",
        ) from error
