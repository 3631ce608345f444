"""Formatting of a comparison's numbers in tables and verdicts: percent and points, intervals, rates, counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvo_cli.stats.confidence_interval import ConfidenceInterval, cut_to_shares

MINUS, UNKNOWN = "−", "—"
ACRONYMS = ("tvo", "ppo", "grpo", "rloo", "dapo", "gspo", "cispo", "cv", "kl")


def arm_title(arm: str) -> str:
    """Return an arm's name as sentences, tables and legends write it: `grpo_viscous` → `GRPO viscous`."""
    if arm == "reinforce":
        return "REINFORCE"
    return " ".join(part.upper() if part in ACRONYMS else part for part in arm.split("_"))


def format_number(value: float | None, digits: int = 3) -> str:
    """Format a number in at most so many significant digits; a dash for none."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.replace("-", MINUS) if "e" not in text else _format_power_of_ten(text)


def _format_power_of_ten(text: str) -> str:
    digits, _, power = text.partition("e")
    return f"{digits}e{int(power)}".replace("-", MINUS)


def format_fixed(value: float, decimals: int) -> str:
    """Format a number with so many decimals."""
    return UNKNOWN if not math.isfinite(value) else f"{value:.{decimals}f}".replace("-", MINUS)


def decimals_of_size(size: float) -> int:
    """Return the decimals that show a number of this size in three significant digits."""
    return 3 if size == 0 or not math.isfinite(size) else max(0, 2 - math.floor(math.log10(size)))


def format_signed(value: float, decimals: int) -> str:
    """Format a number with its sign, a true minus; what rounds to nothing has a plus."""
    if not math.isfinite(value):
        return UNKNOWN
    text = f"{abs(value):.{decimals}f}"
    return (MINUS if value < 0 and float(text) > 0 else "+") + text


def format_metric(value: float | None, share: bool) -> str:
    """Format a metric's value: percent with one decimal for a share."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return format_fixed(100.0 * value, 1) if share else format_number(value, 4)


def format_span(low: float, high: float, share: bool) -> str:
    """Format an interval's ends: `[85.1, 93.0]`, or nothing; a share's ends are cut at 0 and 100."""
    if math.isnan(low) or math.isnan(high):
        return ""
    if share:
        low, high = cut_to_shares(low, high)
    return f"[{format_metric(low, share)}, {format_metric(high, share)}]"


def format_interval(found: ConfidenceInterval | None, share: bool = False) -> str:
    """Format a mean with its interval: `90.1 [85.1, 93.0]`."""
    if found is None or math.isnan(found.mean):
        return UNKNOWN
    return f"{format_metric(found.mean, share)} {format_span(found.low, found.high, share)}".strip()


def format_percent(found: ConfidenceInterval) -> str:
    """Format a ratio in percent, which may lie above 100: `110.2 [98.1, 122.3]`."""
    if math.isnan(found.mean):
        return UNKNOWN
    ends = (
        "" if math.isnan(found.low) else f" [{format_fixed(100 * found.low, 1)}, {format_fixed(100 * found.high, 1)}]"
    )
    return format_fixed(100.0 * found.mean, 1) + ends


def format_rate(value: float | None) -> str:
    """Format a learning rate: `3e-4`."""
    if value is None:
        return UNKNOWN
    digits, _, power = f"{value:.3e}".partition("e")
    return f"{float(digits):g}e{int(power)}"


def count_of(n: int, one: str, many: str = "") -> str:
    """Format a count with its noun: `1 run`, `2 runs`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def join_names(words: Sequence[str], limit: int = 6) -> str:
    """Join names by commas; those beyond the limit are counted."""
    more = len(words) - limit
    return ", ".join(words[:limit]) + (f" and {more} more" if more > 0 else "")
