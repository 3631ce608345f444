"""The error for everything that a user can correct: it names the key, the value, and what to do."""

from __future__ import annotations


class UserError(Exception):
    """Bad input of the user. The CLI prints it as one line and exits with code 2, without a traceback."""

    def __init__(self, key: str, value: object, problem: str, remedy: str = "") -> None:
        self.key, self.value, self.problem, self.remedy = key, value, problem, remedy
        super().__init__(f"{key}={value}: {problem}" + (f" {remedy}" if remedy else ""))

    @property
    def parts(self) -> list[str]:
        """What the error was made of, as text: the same error in another process is UserError(*parts)."""
        return [self.key, str(self.value), self.problem, self.remedy]
