"""Numbers as a reader wants them: points, intervals, rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvo_cli.stats.confidence_interval import ConfidenceInterval
from tvo_cli.tracking.names import BY_NAME

LESS = ("unanswered", "truncated", "grader_failed", "failed", "zero_advantage", "tv", "tv_max", "mismatch", "nonfinite")
MINUS, UNKNOWN = "−", "—"
ACRONYMS = ("tvo", "ppo", "grpo", "rloo", "dapo", "gspo", "cispo", "cv", "kl")


def is_share(metric: str) -> bool:
    """Whether a metric is a share, to be shown in percent and compared in points."""
    name = metric.rpartition("eval/")[2] if "eval/" in metric else metric
    known = BY_NAME.get(metric) or BY_NAME.get(f"eval/{name}")
    return (known.unit == "share") if known else name.startswith(("pass@", "maj@", "accuracy"))


def is_less_better(metric: str) -> bool:
    """Whether the lowest value of a metric is its best: what went unanswered, was cut off, failed or moved too far."""
    return metric.rpartition("/")[2] in LESS


def title(arm: str) -> str:
    """An algorithm's name as papers write it: `grpo_viscous` → `GRPO viscous`."""
    if arm == "reinforce":
        return "REINFORCE"
    return " ".join(part.upper() if part in ACRONYMS else part for part in arm.split("_"))


def number(value: float | None, digits: int = 3) -> str:
    """A number in at most so many significant digits; a dash for none."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.replace("-", MINUS) if "e" not in text else _power(text)


def _power(text: str) -> str:
    digits, _, power = text.partition("e")
    return f"{digits}e{int(power)}".replace("-", MINUS)


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals."""
    return UNKNOWN if not math.isfinite(value) else f"{value:.{decimals}f}".replace("-", MINUS)


def signed(value: float, decimals: int) -> str:
    """The same with its sign, a true minus; what rounds to nothing has a plus."""
    if not math.isfinite(value):
        return UNKNOWN
    text = f"{abs(value):.{decimals}f}"
    return (MINUS if value < 0 and float(text) > 0 else "+") + text


def reading(value: float | None, share: bool) -> str:
    """A metric's value: percent with one decimal for a share."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return fixed(100.0 * value, 1) if share else number(value, 4)


def span(low: float, high: float, share: bool) -> str:
    """`[85.1, 93.0]`, or nothing where there is no interval; a share's ends are cut at 0 and 100."""
    if math.isnan(low) or math.isnan(high):
        return ""
    if share:
        low, high = max(low, 0.0), min(high, 1.0)
    return f"[{reading(low, share)}, {reading(high, share)}]"


def interval(found: ConfidenceInterval | None, share: bool = False) -> str:
    """`90.1 [85.1, 93.0]`; the mean alone where there is no interval."""
    if found is None or math.isnan(found.mean):
        return UNKNOWN
    return f"{reading(found.mean, share)} {span(found.low, found.high, share)}".strip()


def percent(found: ConfidenceInterval) -> str:
    """`110.2 [98.1, 122.3]`: a ratio in percent, which may lie above 100 and is not cut."""
    if math.isnan(found.mean):
        return UNKNOWN
    ends = "" if math.isnan(found.low) else f" [{fixed(100 * found.low, 1)}, {fixed(100 * found.high, 1)}]"
    return fixed(100.0 * found.mean, 1) + ends


def rate(value: float | None) -> str:
    """A learning rate: `3e-4`."""
    if value is None:
        return UNKNOWN
    digits, _, power = f"{value:.3e}".partition("e")
    return f"{float(digits):g}e{int(power)}"


def count(n: int, one: str, many: str = "") -> str:
    """`1 run`, `2 runs`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(words: Sequence[str], limit: int = 6) -> str:
    """Words in a row, the rest counted."""
    more = len(words) - limit
    return ", ".join(words[:limit]) + (f" and {more} more" if more > 0 else "")
