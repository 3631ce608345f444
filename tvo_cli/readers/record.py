"""Records: a row of a file as it was read, or why it cannot be read."""

from __future__ import annotations

from typing import Any, NamedTuple


class Record(NamedTuple):
    """A record: a row's fields, where it stands, and about how many bytes it has."""

    number: int  # from 1
    noun: str  # what is counted: line or row
    fields: dict[str, Any]
    size: int
    note: str = ""  # what is odd about the file and seen at this row: columns, or a last cell that may be torn


class MalformedRecord(Exception):
    """A row (or, without a number, a file) that cannot be read: why, and what to do."""

    def __init__(
        self, problem: str, remedy: str = "", *, number: int | None = None, noun: str = "line", is_end: bool = False
    ) -> None:
        self.problem, self.remedy, self.number, self.noun = problem, remedy, number, noun
        self.is_end = is_end  # whether nothing behind it can be read
        super().__init__(problem)

    @property
    def place(self) -> str:
        """ "line 17", "row 3"; "" for the whole file."""
        return "" if self.number is None else f"{self.noun} {self.number}"

    @property
    def sentence(self) -> str:
        """ "line 17 is not JSON"; "line 17: its gold is null"."""
        colon = ":" if self.problem.startswith(("the ", "its ")) else ""
        return f"{self.place}{colon} {self.problem}" if self.place else self.problem

    def at(self, number: int, noun: str) -> MalformedRecord:
        """The same fault, of this row."""
        return MalformedRecord(self.problem, self.remedy, number=number, noun=noun, is_end=self.is_end)


Found = Record | MalformedRecord
