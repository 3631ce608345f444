"""Numbers as the console and the card show them: sparklines, durations, readings."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ABSENT = "—"
RATES = ("time/tokens_per_second",)  # whole numbers: the digits behind the point are noise
NO_SCALE = ("gradient/variance", "policy/tv", "policy/kl_ref", "thermo/viscosity", "thermo/temperature")
DIVERGENCES = ("policy/kl_ref",)
ROUNDING = 1e-7  # nats: log-probabilities are known no better in fp32, so a divergence below it is none, of either sign


def sparkline(values: Sequence[float], width: int = 32) -> str:
    """Return the last `width` values as a sparkline of blocks; a gap where a value is not finite."""
    shown = list(values)[-width:]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return ""
    low, span = min(finite), max(finite) - min(finite)
    return "".join(_sparkline_block(value, low, span) for value in shown)


def _sparkline_block(value: float, low: float, span: float) -> str:
    """The block of a sparkline for one number; a space for one that is not finite."""
    if not math.isfinite(value):
        return " "
    share = 0.5 if span == 0 else (value - low) / span
    return BLOCKS[min(int(share * len(BLOCKS)), len(BLOCKS) - 1)]


def format_duration(seconds: float) -> str:
    """Return a duration as the console shows it: `45s`, `3:07`, `2:03:07`."""
    if not math.isfinite(seconds):
        return ABSENT
    whole = round(max(seconds, 0.0))
    hours, rest = divmod(whole, 3600)
    if hours:
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{rest // 60}:{rest % 60:02d}" if rest >= 60 else f"{rest}s"


def format_console_reading(name: str, value: float | None) -> str:
    """Return a metric's value as the console shows it: a rate whole, others in three or fixed digits."""
    if value is None or not math.isfinite(value):
        return format_plain_number(value)
    if name in DIVERGENCES and abs(value) < ROUNDING:
        return "≈0"
    if name in RATES and 10 <= abs(value) < 1e5:
        return f"{value:,.0f}"
    return format_significant(value) if name in (*NO_SCALE, *RATES) else format_plain_number(value)


def format_significant(value: float) -> str:
    """Return a number in three significant digits, as the console shows it: `0.00123`, `12.3`, `4.56e-07`."""
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 999.5:
        return f"{value:,.0f}" if 999.5 <= abs(value) < 1e5 else format_plain_number(value)
    return f"{value:#.3g}".rstrip(".")


def format_plain_number(value: float | None, digits: int = 3) -> str:
    """Return a number as the console shows it: fixed digits when it is ordinary, powers of ten when not."""
    if value is None:
        return ABSENT
    if not math.isfinite(value):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}f}"
