"""The error for everything that a user can correct: it names the key, the value, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class UserError(Exception):
    """Bad input of the user. The CLI prints it as one line and exits with code 2, without a traceback."""

    def __init__(self, key: str, value: object, problem: str, remedy: str = "") -> None:
        self.key, self.value, self.problem, self.remedy = key, value, problem, remedy
        super().__init__(f"{key}={value}: {problem}" + (f" {remedy}" if remedy else ""))

    @property
    def parts(self) -> list[str]:
        """What the error was made of, as text: the same error in another process is UserError(*parts)."""
        return [self.key, str(self.value), self.problem, self.remedy]


class UserErrors(UserError):
    """Several faults at once: the first one, and the others behind it."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        self.errors = tuple(errors)
        first, *others = errors
        told = " ".join(f"({number}) {error}" for number, error in enumerate(others, 2))
        super().__init__(first.key, first.value, first.problem, f"{first.remedy} Besides: {told}".strip())


class FaultList:
    """The faults of several checks, collected to be told in one message."""

    def __init__(self) -> None:
        self.found: list[UserError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Inside: a fault ends the check, and is kept; one of a key and value that have one already is dropped."""
        try:
            yield
        except UserError as error:
            known = {(one.key, str(one.value)) for one in self.found}
            found = error.errors if isinstance(error, UserErrors) else (error,)
            self.found += [one for one in found if (one.key, str(one.value)) not in known]

    def refuse(self) -> None:
        """Raise what was found, if anything was."""
        if self.found:
            raise self.found[0] if len(self.found) == 1 else UserErrors(self.found)


def first_line_of_error(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return str(error).strip().split("\n", 1)[0]
