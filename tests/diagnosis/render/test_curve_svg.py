"""Curves as SVG: marked, thinned without hiding an extreme, whole for any numbers."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from tvo_cli.diagnosis.render.curve_svg import SvgCurve, SvgStepMark, curves_as_svg


def points(picture: str) -> list[tuple[float, float]]:
    found = re.search(r'points="([^"]*)"', picture)
    assert found
    return [tuple(map(float, pair.split(","))) for pair in found[1].split()]  # type: ignore[misc]


@pytest.mark.parametrize(
    "values", [[0.5] * 3, [math.nan, 0.5, math.inf], [1e-300, 1e300], [0.0], [-3.0, 2.0], [1e12, 1e12 + 1]]
)
def test_any_numbers_make_a_picture_inside_its_frame(values: list[float]) -> None:
    marks = [SvgStepMark(1, "<b>", "first"), SvgStepMark(2, "seen", "alarm")]
    picture = curves_as_svg([SvgCurve("a&b", range(len(values)), values, "a")], marks, 0.5)
    ElementTree.fromstring(picture)
    assert all(0 <= x <= 760 and 0 <= y <= 190 for x, y in points(picture)) and "&lt;b&gt;" in picture


def test_a_long_curve_keeps_its_spike() -> None:
    values = [0.0] * 5000
    values[3210] = 9.0
    drawn = points(curves_as_svg([SvgCurve("norm", range(5000), values, "a")]))
    assert len(drawn) < 1500 and min(y for _, y in drawn) < 30


def test_nothing_finite_is_no_picture() -> None:
    assert curves_as_svg([SvgCurve("x", [1], [math.nan], "a")]) == ""
