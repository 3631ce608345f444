"""run.log: the program's messages and everybody's warnings, without secrets."""

from __future__ import annotations

import logging
from pathlib import Path

from tvo_cli import standard_streams
from tvo_cli.redaction import without_secrets

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _RedactingLogFormatter(logging.Formatter):
    """A formatter of run.log that writes no secret of the environment."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked."""
        return without_secrets(super().format(record))


class _RunLogHandler(logging.FileHandler):
    """The handler of run.log, which also records what happened to the console."""

    def note(self, text: str) -> None:
        """A line of its own, past the other handlers: one of them may be what has just failed."""
        self.handle(logging.LogRecord("tvo", logging.WARNING, __file__, 0, text, None, None))


def open_run_log(path: Path) -> logging.Handler:
    """Open run.log for the program's messages and everybody's warnings; the handler is for `close_run_log`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _RunLogHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_RedactingLogFormatter(LOG_FORMAT))
    standard_streams.add_stream_listener(handler.note)
    logging.getLogger().addHandler(handler)
    logging.getLogger("tvo").setLevel(logging.INFO)
    return handler


def close_run_log(handler: logging.Handler) -> None:
    """Remove and close the handler of run.log."""
    if isinstance(handler, _RunLogHandler):
        standard_streams.remove_stream_listener(handler.note)
    logging.getLogger().removeHandler(handler)
    handler.close()
