"""What follows when a collapse rule fires."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tvo_cli.stability import CollapseAction
from tvo_cli.stability.rule_interface import RuleFiring
from tvo_cli.training.collapse_response import watch_evaluation
from tvo_cli.training.session import Session


def test_a_collapse_that_an_evaluation_shows_is_told_as_one() -> None:
    told: list[dict[str, Any]] = []
    firing = RuleFiring("evaluation_drop", 10, "eval/pass@1", 0.06, 0.11, "collapse", "has fallen")
    session = SimpleNamespace(
        counters=SimpleNamespace(step=10),
        watch=SimpleNamespace(observe_evaluation=lambda step, metrics: [firing], decide=lambda: CollapseAction.NONE),
        tracker=SimpleNamespace(alert=lambda *words, **more: told.append(more)),
        ranks=SimpleNamespace(is_first=False),
    )
    watch_evaluation(cast(Session, session), {})
    assert told == [{"step": 10, "severity": "collapse"}]
