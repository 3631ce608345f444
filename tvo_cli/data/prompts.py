"""From a problem to the text the policy continues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tvo_cli.errors import UserError
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render(problem: Problem, prompt_node: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase | None) -> str:
    """The prompt of `problem` under model.prompt: {template: plain | chat, system, suffix}.

    plain: system, a blank line, question + suffix (verbatim, with the line breaks it brings).
    chat: the tokenizer's own template over a system and a user message, ready for the answer.
    """
    template = prompt_node.get("template") or "plain"
    system = prompt_node.get("system") or ""
    request = problem.question + (prompt_node.get("suffix") or "")
    if template == "plain":
        return f"{system}\n\n{request}" if system else request
    if template == "chat":
        return _chat(system, request, tokenizer)
    raise UserError("model.prompt.template", template, "is not a prompt template.", "Choose plain or chat.")


def _chat(system: str, request: str, tokenizer: PreTrainedTokenizerBase | None) -> str:
    if tokenizer is None or not getattr(tokenizer, "chat_template", None):
        raise UserError(
            "model.prompt.template",
            "chat",
            "the model's tokenizer has no chat template.",
            "Use model.prompt.template=plain, or an instruction-tuned model.",
        )
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": request})
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
