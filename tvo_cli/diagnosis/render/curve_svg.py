"""A metric's curve as inline SVG, with the first step of a failure, its alarm and its threshold marked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tvo_cli.escaping import html

WIDTH, HEIGHT = 760.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 12.0, 26.0  # margins
COLUMNS = 350  # stretches of steps of which the least and the largest value are drawn
TICKS = 3


class SvgStepMark(NamedTuple):
    """A step that is marked, with its label and style."""

    step: int
    label: str
    kind: str  # "first" or "alarm"


class SvgCurve(NamedTuple):
    """A curve by name, with the class that colours it."""

    name: str
    steps: Sequence[int]
    values: Sequence[float]
    style: str  # a, b, c


class Frame(NamedTuple):
    """The ranges of both axes."""

    first: float
    last: float
    low: float
    high: float

    def x(self, step: float) -> float:
        """Return the place of a step."""
        return LEFT + (step - self.first) / max(self.last - self.first, 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the place of a value; beyond the frame at its edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def curves_as_svg(curves: Sequence[SvgCurve], marks: Sequence[SvgStepMark] = (), threshold: float | None = None) -> str:
    """Return the picture; empty where no value is finite."""
    finite = [(step, value) for one in curves for step, value in zip(one.steps, one.values) if math.isfinite(value)]
    if not finite:
        return ""
    frame = _frame(finite, threshold)
    label = html(", ".join(one.name for one in curves))
    parts = [*_axes(frame), *(_polyline(frame, one) for one in curves), *_threshold(frame, threshold)]
    parts += [line for mark in marks for line in _mark(frame, mark)]
    return f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _frame(finite: Sequence[tuple[int, float]], threshold: float | None) -> Frame:
    steps, values = [step for step, _ in finite], [value for _, value in finite]
    low, high = min(values), max(values)
    if threshold is not None and math.isfinite(threshold) and low - 2 * (high - low) <= threshold <= high * 3 + 1e-12:
        low, high = min(low, threshold), max(high, threshold)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return Frame(min(steps), max(steps), low - room, high + room)


def _axes(frame: Frame) -> Iterator[str]:
    for at in range(TICKS):
        value = frame.low + (frame.high - frame.low) * (at + 0.5) / TICKS
        y = frame.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>'
    for step, anchor in ((frame.first, "start"), (frame.last, "end")):
        place = f'x="{frame.x(step):.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}"'
        yield f'<text class="tick" {place}>step {step:.0f}</text>'


def _polyline(frame: Frame, curve: SvgCurve) -> str:
    points = " ".join(f"{frame.x(step):.1f},{frame.y(value):.1f}" for step, value in _thinned(curve))
    dots = "".join(
        f'<circle class="{curve.style}" cx="{frame.x(step):.1f}" cy="{frame.y(value):.1f}" r="3"/>'
        for step, value in (zip(curve.steps, curve.values) if len(curve.values) <= 12 else ())
        if math.isfinite(value)
    )
    return f'<polyline class="{curve.style}" points="{points}"><title>{html(curve.name)}</title></polyline>{dots}'


def _thinned(curve: SvgCurve) -> Iterator[tuple[int, float]]:
    """Yield the finite points; of a long curve the least and the largest of each stretch, in order."""
    points = [(step, value) for step, value in zip(curve.steps, curve.values) if math.isfinite(value)]
    length = math.ceil(len(points) / COLUMNS)
    if length <= 2:
        yield from points
        return
    for start in range(0, len(points), length):
        stretch = points[start : start + length]
        yield from sorted({min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])})


def _threshold(frame: Frame, threshold: float | None) -> Iterator[str]:
    if threshold is not None and frame.low <= threshold <= frame.high:
        y = frame.y(threshold)
        yield f'<line class="threshold" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        place = f'x="{WIDTH - RIGHT}" y="{y - 4:.1f}" text-anchor="end"'
        yield f'<text class="tick" {place}>threshold {threshold:.3g}</text>'


def _mark(frame: Frame, mark: SvgStepMark) -> Iterator[str]:
    x = frame.x(mark.step)
    late = x > WIDTH * 0.75
    place = f'x="{x + (-5 if late else 5):.1f}" y="{TOP + (10 if mark.kind == "first" else 24)}"'
    yield f'<line class="{mark.kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    yield f'<text class="mark" {place} text-anchor="{"end" if late else "start"}">{html(mark.label)}</text>'
