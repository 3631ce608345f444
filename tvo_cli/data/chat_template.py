"""Chat templates: a conversation as the tokenizer's own template writes it, with the keywords that it reads."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tvo_cli.errors import UserError

KEYWORDS = "model.prompt.chat_template_kwargs"
FOR_TEMPLATES = frozenset({"tools", "documents"})  # arguments of apply_chat_template that it only passes on
GIVEN = frozenset({"messages", "raise_exception", "strftime_now"})  # names that transformers itself gives a template


def render_chat_template(turns: Sequence[tuple[str, str]], tokenizer: Any, keywords: Mapping[str, Any]) -> str:
    """Render a conversation by the tokenizer's chat template, ready for the answer."""
    return render_conversation(turns, tokenizer, keywords, reply=True)


def render_conversation(
    turns: Sequence[tuple[str, str]], tokenizer: Any, keywords: Mapping[str, Any], *, reply: bool
) -> str:
    """Render a conversation by the tokenizer's chat template; `reply`: ready for one.

    Raises:
        UserError: there is no chat template, it refuses the conversation, or it does not read a keyword.
    """
    if tokenizer is None or not getattr(tokenizer, "chat_template", None):
        raise UserError(
            "model.prompt.template",
            "chat",
            "the model's tokenizer has no chat template.",
            "Use model.prompt.template=plain, or an instruction-tuned model.",
        )
    from jinja2 import TemplateError

    messages = [{"role": role, "content": text} for role, text in turns]
    try:
        options = _checked_template_keywords(tokenizer, keywords)
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=reply, **options))
    except TemplateError as error:
        raise UserError(
            "model.prompt.system",
            [message["role"] for message in messages],
            f"the tokenizer's chat template refuses it: {error}.",
            "Many templates know no system message: put its text into model.prompt.suffix.",
        ) from error


def _checked_template_keywords(tokenizer: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords as plain values; refuse one that the template does not read."""
    if not keywords:
        return {}
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(keywords, resolve=True) if OmegaConf.is_config(keywords) else keywords
    options = {str(name): value for name, value in dict(plain).items()}
    own = set(inspect.signature(tokenizer.apply_chat_template).parameters) - FOR_TEMPLATES
    known = names_read_by_template(tokenizer.get_chat_template(None, options.get("tools"))) - own - GIVEN
    for name, value in options.items():
        if name not in known:
            free = sorted(known - set(tokenizer.special_tokens_map))
            remedy = f"It reads {', '.join(free) or 'the messages only'}."
            raise UserError(f"{KEYWORDS}.{name}", value, "is not read by the tokenizer's chat template.", remedy)
    return options


@lru_cache(maxsize=8)
def names_read_by_template(template: str) -> frozenset[str]:
    """Return the names that a Jinja template takes from outside; it is parsed, never run.

    One that is set where it is first met, as Qwen 3's `content`, is the template's own.
    """
    from jinja2 import Environment, meta

    parsed = Environment(extensions=["jinja2.ext.loopcontrols", _generation_tag()]).parse(template)
    first: dict[str, str] = {}
    for name, context in _names_in_order(parsed):
        first.setdefault(name, context)
    return frozenset(one for one in meta.find_undeclared_variables(parsed) if first.get(one) != "store")


def _names_in_order(node: Any) -> Iterator[tuple[str, str]]:
    """Yield the names of a parsed template as they are met, each with `load` or `store`; a value before its target."""
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        yield node.name, node.ctx
    children = list(node.iter_child_nodes())
    if isinstance(node, nodes.Assign | nodes.For):
        value = node.node if isinstance(node, nodes.Assign) else node.iter
        children = [value, *(child for child in children if child is not value)]
    for child in children:
        yield from _names_in_order(child)


@lru_cache(maxsize=1)
def _generation_tag() -> Any:
    """Return the extension that reads `{% generation %}`, which transformers adds to Jinja."""
    from jinja2.ext import Extension

    class GenerationTag(Extension):
        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return GenerationTag


def choose_template(template: str | None, tokenizer: Any) -> str:
    """Choose chat or plain where the template is `auto`: chat where the tokenizer has a chat template."""
    if template == "auto":
        return "chat" if getattr(tokenizer, "chat_template", None) else "plain"
    return template or "plain"
