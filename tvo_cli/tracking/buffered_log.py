"""A buffer of log messages from before run.log and the console are open."""

from __future__ import annotations

import logging
from types import TracebackType

NAME = "tvo"


class BufferedLog(logging.Handler):
    """A context that buffers the program's messages until `say`, or until its end."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: list[logging.LogRecord] = []
        self._logger = logging.getLogger(NAME)
        self._holding = False

    def __enter__(self) -> BufferedLog:
        self._level, self._passed_on, self._holding = self._logger.level, self._logger.propagate, True
        self._logger.propagate = False
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)
        return self

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it; of what is said again, because a file is read for each of its splits, the first."""
        if (record.levelno, record.getMessage()) not in [(one.levelno, one.getMessage()) for one in self._records]:
            self._records.append(record)

    def say(self) -> None:
        """Say everything, and hold nothing any more."""
        if not self._holding:
            return
        self._holding, self._logger.propagate = False, self._passed_on  # to a buffer around this one, if there is one
        self._logger.removeHandler(self)
        if self._logger.level == logging.INFO and not logging.getLogger().handlers:
            self._logger.setLevel(self._level)
        for record in self._records:
            self._logger.handle(record)

    def forget(self) -> None:
        """Drop what has been buffered: it will be said again."""
        self._records.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.say()
