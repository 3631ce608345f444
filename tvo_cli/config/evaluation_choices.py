"""The choices of the group `evaluation`: suites of `tvo eval`, and what a run evaluates of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvo_cli.config.choices import choice_path, choices_of_group
from tvo_cli.config.choices_taken import choices_of_words
from tvo_cli.errors import UserError

GROUP = "evaluation"
SUITE = "# @package evaluation.suites"  # how the yaml of a suite begins


def evaluation_choices(root: str) -> list[str]:
    """Return the choices of `evaluation` that a command takes: suites (eval), the others (train)."""
    return [name for name in choices_of_group(GROUP) if _is_suite(name) == (root == "eval")]


def check_evaluation_choice(config: Any, root: str, overrides: Sequence[str] = ()) -> None:
    """Refuse a suite in a run, and what a run evaluates of itself in `tvo eval`.

    Raises:
        UserError: names the choice, and those that the command takes.
    """
    stated = config.get(GROUP) or {}
    suites = stated.get("suites")
    if root == "train" and suites is not None:
        remedy = f"In a run: {', '.join(evaluation_choices(root))}. After it: tvo eval model.path=RUN evaluation=…"
        raise UserError(GROUP, "+".join(suites), "is a suite of `tvo eval`.", remedy)
    if root == "eval" and "at_start" in stated:
        known = evaluation_choices(root)
        named = [name for name in choices_of_words(overrides).get(GROUP, ()) if name not in known]
        remedy = f"Suites: {', '.join(known)}. How they are sampled: decoding.samples, decoding.temperature."
        raise UserError(GROUP, "+".join(named), "is what a run evaluates of itself, and no suite.", remedy)


def _is_suite(name: str) -> bool:
    text = choice_path(GROUP, name).read_text(encoding="utf-8", errors="replace")
    return any(line.startswith(SUITE) for line in text.splitlines())


def suites_to_evaluate_as_list(word: str) -> str:
    """Return `evaluation=a,b` as `evaluation=[a,b]`: one job over two suites, not a sweep."""
    key, equals, value = word.partition("=")
    if key != "evaluation" or not equals or value.startswith("["):
        return word
    return f"evaluation=[{value}]"
