"""RECAP: its loss is GRPO's. Its weights: maths/loss_balancing.py; what they weigh: reweighted_sources.py."""

from __future__ import annotations

from collections.abc import Callable

from tests.methods.conftest import Result

NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "recap": ("grpo", ["algorithm.advantage_shaping.recap.temperature=inf"]),
    "recap_next_token": ("recap", ["algorithm.next_token.coefficient=0"]),
}
ACTS = {name: ["algorithm.advantage_shaping.recap.window=1"] for name in ("recap", "recap_next_token")}


def test_before_two_windows_it_is_grpo(on_f0: Callable[..., Result]) -> None:
    assert on_f0("recap").loss == on_f0("grpo").loss
