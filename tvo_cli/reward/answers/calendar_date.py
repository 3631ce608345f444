r"""Days of the calendar: \text{July } 4, July 4th, 4 July 2031."""

from __future__ import annotations

import re
from typing import NamedTuple

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
NAMES = {name: i for i, name in enumerate(MONTHS, 1)} | {name[:3]: i for i, name in enumerate(MONTHS, 1)} | {"sept": 9}
DAY = r"(\d{1,2})(?: ?(?:st|nd|rd|th))?"
MONTH = rf"({'|'.join(sorted(NAMES, key=len, reverse=True))})\.?"
YEAR = r"(?:,? ?(?:of )?(\d{4}))?"
FORM = re.compile(rf"(?:the )?(?:{MONTH} ?{DAY}|{DAY} ?(?:of )?{MONTH}){YEAR}", re.ASCII)
LONGEST = 80


class Date(NamedTuple):
    """Month and day; the year where it is said."""

    month: int
    day: int
    year: str


def read_date(text: str) -> Date | None:
    """A day of the calendar; None for anything else."""
    if len(text) > LONGEST:
        return None
    plain = re.sub(r"\^\{\\text\{(\w\w)\}\}|\^\{(\w\w)\}", r"\1\2", text)
    found = FORM.fullmatch(" ".join(re.sub(r"\\text\{([^{}]*)\}", r" \1 ", plain).lower().split()).replace(" ,", ","))
    if found is None:
        return None
    day = int(found[2] or found[3])
    return Date(NAMES[found[1] or found[4]], day, found[5] or "") if 1 <= day <= 31 else None
