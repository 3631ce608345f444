r"""Times of day: 4:30 p.m., 16:30, 05:00, 5 o'clock."""

from __future__ import annotations

import re
from typing import NamedTuple

TIME = re.compile(
    r"(\d{1,2})(?::(\d{2})|\.(\d{2})(?=\\text\{[ap]))?(?::(\d{2}))?"
    r"(?:\\text\{(?:(?:o'?clock,? )?"
    r"(?:([ap])\.? ?m\.?|(noon)|(midnight)|(?:in the )?(?:(morning)|(?:afternoon|evening)))"
    r"|o'?clock|(?:hours|hrs|h))\})?",
    re.IGNORECASE | re.ASCII,
)
HOURS = re.compile(r"\{(?:hours|hrs|h)\}$", re.IGNORECASE)
WORDS = {"\\text{noon}": "12:00\\text{pm}", "\\text{midnight}": "12:00\\text{am}"}


class TimeOfDay(NamedTuple):
    """Hours, minutes and seconds; `half` is "a" before noon, "p" after, "" where it is not said."""

    hour: int
    minute: int
    second: int
    half: str

    @property
    def is_sure(self) -> bool:
        """Whether it names its half of the day."""
        return bool(self.half)

    @property
    def seconds(self) -> int:
        """Since midnight."""
        hour = self.hour % 12 + 12 * (self.half == "p") if self.half else self.hour
        return (hour * 60 + self.minute) * 60 + self.second


def read_time(text: str) -> TimeOfDay | None:
    """A time of day; None for what cannot be one."""
    found = TIME.fullmatch(WORDS.get(text, text))
    if found is None or (found[2] is None and (not text.endswith("}") or HOURS.search(text))):
        return None
    hour, minute, second = int(found[1]), int(found[2] or found[3] or 0), int(found[4] or 0)
    half = _half_of_day(found)
    if minute > 59 or second > 59 or hour > (12 if half else 24):
        return None
    return TimeOfDay(hour, minute, second, half)


def _half_of_day(found: re.Match[str]) -> str:
    if found[5]:
        return found[5].lower()
    if found[6] or found[7] or found[8]:
        return "p" if found[6] else "a"
    return "p" if found[0].endswith(("noon}", "evening}")) else ""


def same_time(gold: TimeOfDay, answer: TimeOfDay) -> bool:
    """One moment; an answer may say the half of the day where the gold does not, or use twenty-four hours."""
    if gold.half and answer.half:
        return gold.seconds == answer.seconds
    if gold.half and not answer.half:
        return (answer.hour > 12 or answer.hour == 0) and gold.seconds == answer.seconds
    return gold[:3] == answer[:3] or ((gold.hour > 12 or gold.hour == 0) and gold.seconds == answer.seconds)
