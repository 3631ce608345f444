"""Kept, gained, lost; the paper's numbers."""

from __future__ import annotations

import math

import pytest

from tests.evaluation.conftest import problem
from tvo_cli.evaluation.support_change import compare_support, summarise_support_change, support_metrics, support_ratios


def test_the_published_table() -> None:
    found = support_ratios(kept=2388, gained=48, lost=175)
    assert [round(found[name], 4) for name in ("SRR", "NDR", "SDS", "NSCR")] == [0.9317, 0.0197, 0.0386, -0.0486]


def test_nothing_solved_has_no_retention() -> None:
    found = support_ratios(0, 0, 0)
    assert all(math.isnan(value) for value in found.values())
    assert support_ratios(3, 0, 1)["NSCR"] == -0.25
    assert math.isnan(support_ratios(0, 0, 4)["NDR"])


def test_one_right_sample_is_support() -> None:
    base = {"a": True, "b": True, "c": False, "d": False}
    new = {"a": True, "b": False, "c": True, "d": False, "e": True}
    assert compare_support(base, new) == (("a",), ("c",), ("b",), ("d",))
    rows = [*problem("a", ["2", "1"]), *problem("b", ["2", "2"])]
    found = summarise_support_change([*problem("a", ["2", "2"]), *problem("b", ["2", "1"])], rows)
    assert (found["gained_ids"], found["lost_ids"], found["kept"]) == (["a"], ["b"], 0)
    assert found["SRR"] == pytest.approx(0.0)


def test_support_by_hand() -> None:
    """Of six problems two are kept, one gained, two lost: 2/4, 1/3, −1/5."""
    base = dict(zip("abcdef", (True, True, True, True, False, False), strict=True))
    now = dict(zip("abcdef", (True, True, False, False, True, False), strict=True))
    found = support_metrics(base, now)
    assert [found[f"support/{name}"] for name in ("kept", "gained", "lost")] == [2, 1, 2]
    ratios = [found[f"support/{name}"] for name in ("retention", "discovery", "change")]
    assert ratios == pytest.approx([0.5, 1 / 3, -0.2])
    assert "support/retention" not in support_metrics({"a": False}, {"a": True})
