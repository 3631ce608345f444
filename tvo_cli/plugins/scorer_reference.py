"""A scorer of a user's own: how a config names one, and the signature that it must have."""

from __future__ import annotations

from tvo_cli.plugins.call_signature import parameters_asked_for
from tvo_cli.plugins.own_code_loading import load_callable

BUILT_IN = "reasoning_gym:"  # the one kind of ours with a colon in its name
OFFERED = ("responses", "problems", "finished")


def is_own_scorer(scorer: object) -> bool:
    """Whether a scorer is own code (`my_scorer.py:fn`), not one of ours (`math`, `reasoning_gym:TASK`)."""
    return isinstance(scorer, str) and ":" in scorer and not scorer.startswith(BUILT_IN)


def check_scorer(key: str, scorer: object) -> None:
    """Load a scorer that a config names and check its signature; of ours there is nothing to check.

    Raises:
        UserError: it cannot be loaded, or cannot be called with what a scorer is given.
    """
    if isinstance(scorer, str) and is_own_scorer(scorer):
        parameters_asked_for(key, scorer, load_callable(key, scorer), OFFERED, {})
