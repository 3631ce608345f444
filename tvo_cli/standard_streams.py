"""Guards of standard input, output and error: a closed, full or slow console neither ends nor hangs a run.

A run lives in its folder; the console is a view of it. A console that is closed, full, gone, slow or unable to show a
character is given what it takes, and the rest is left out. Where the output is the product (`tvo ls`, `tvo grade`),
a stream that takes nothing more ends the command: OutputLost. Whatever a process writes passes here, the bars and
warnings of libraries too, because the guard stands below Python's own text layer.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO, cast

from tvo_cli import file_descriptors

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PATIENCE = 2.0  # seconds that a view waits for a reader; after that not at all, until it takes something again
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # there may be room again
ENCODING_ERRORS = "tvo.nearest"
NEAREST = str.maketrans(
    {
        **dict(
            zip(
                "…→←·×−–—‘’“”⚠⏎≈ν",
                ("...", "->", "<-", "-", "x", "-", "-", "-", "'", "'", '"', '"', "!", "|", "~", "nu"),
            )
        ),
        **dict(zip("▁▂▃▄▅▆▇█─━", "__..=##@--")),
    }
)


class OutputLost(Exception):
    """Standard output takes nothing more, and it was the result of the command."""

    def __init__(self, reason: str, *, quiet: bool = False) -> None:
        self.reason, self.quiet = reason, quiet  # quiet: the reader has seen enough (head, less)
        super().__init__(f"standard output: {reason}")


class StreamGuard(io.RawIOBase):
    """The lowest layer of a standard stream: takes every byte, and writes what the other side accepts.

    raises: a loss ends the command. waits: the reader may take as long as it likes. tells: a loss is said on
    standard error, for a command that goes on and shows nothing any more.
    """

    def __init__(self, descriptor: int, name: str, *, raises: bool, waits: bool) -> None:
        self._descriptor, self._name, self.raises, self.waits = descriptor, name, raises, waits
        self.tells = False
        self.loss: OutputLost | None = None  # the first
        self._gone = self._stalled = False
        self._target = file_descriptors.nonblocking_descriptor(descriptor)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return not self._gone and os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        """Take it all; what the other side does not accept is left out."""
        whole = memoryview(data).cast("B")
        if not self.waits and file_descriptors.would_descriptor_stop_process(self._target):
            note_stream_event(
                f"{self._name} stops jobs in the background (stty tostop); meanwhile lines are left out there"
            )
        elif not self._gone:
            try:
                self._pour(whole)
            except OSError as error:
                self._fail(error)
        elif self.raises and self.loss is not None:
            raise self._told(self.loss)
        return len(whole)

    def close_at_start(self) -> None:
        """The process was begun without this stream."""
        self._gone, self.loss = True, OutputLost("closed")
        note_stream_event(f"{self._name} was closed when the program began")

    def release(self) -> None:
        """Close what was opened for it."""
        if self._target != self._descriptor:
            os.close(self._target)
            self._target = self._descriptor

    def _pour(self, data: memoryview) -> None:
        """Write until all is taken, or until a view's patience is over."""
        end = None if self.waits else time.monotonic() + (0.0 if self._stalled else PATIENCE)
        while data:
            if not file_descriptors.is_writable(self._target, end):
                self._stalled = True
                note_stream_event(
                    f"{self._name} has taken nothing for {PATIENCE:g} s; until it does, lines are left out there"
                )
                return
            try:
                data = data[os.write(self._target, data[: file_descriptors.CHUNK]) :]
            except BlockingIOError:  # said to be ready, and taken by another process, or too little for a piece
                time.sleep(0.01)
        self._stalled = False

    def _fail(self, error: OSError) -> None:
        """Remember the first loss. A full disk may have room again; nothing else comes back."""
        if error.errno not in FULL:
            self._gone = True
            self.release()
            file_descriptors.redirect_to_devnull(self._descriptor)
        lost = OutputLost(error.strerror or str(error), quiet=error.errno == errno.EPIPE)
        self.loss = self.loss or lost
        if self.raises:
            raise self._told(lost)
        text = f"{self._name} is lost ({lost.reason}); the run goes on without it"
        if note_stream_event(text) and self.tells:
            write_to_stderr(f"tvo: {text}")

    def _told(self, lost: OutputLost) -> OutputLost:
        """Once: what ends the command is not raised again by what is still written on the way out."""
        self.raises = False
        return lost


_guards: dict[int, StreamGuard] = {}
_absent: set[int] = set()  # descriptors that were closed when the program began
_notes: list[str] = []
_listeners: list[Callable[[str], None]] = []


def guard_streams() -> None:
    """Guard the process's standard streams until it ends; one that somebody has replaced is left alone."""
    codecs.register_error(ENCODING_ERRORS, _encode_by_nearest)
    _open_closed_descriptors()
    sys.stdout = _guarded_stream(1, "standard output", sys.stdout, sys.__stdout__, raises=True)
    sys.stderr = _guarded_stream(2, "standard error", sys.stderr, sys.__stderr__, raises=False)


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Guard the standard streams inside a `with`; do nothing where they are guarded already."""
    if _guards:
        yield
        return
    before = sys.stdin, sys.stdout, sys.stderr
    try:
        guard_streams()
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError, OutputLost):
                stream.flush()
        sys.stdin, sys.stdout, sys.stderr = before
        for each in _guards.values():
            each.release()
        for kept in (_guards, _absent, _notes):
            kept.clear()


def treat_stdout_as_view(*, waits: bool = False) -> None:
    """Treat standard output as a view from here on: its loss does not end the command.

    waits: nothing is left out for want of a reader, and `raise_lost_output` raises a loss at the end.
    """
    if 1 in _guards:
        _guards[1].raises, _guards[1].waits, _guards[1].tells = False, waits, not waits


def ignore_later_losses() -> None:
    """Ignore what is lost of the streams once the command is over, by exit hooks."""
    if 1 in _guards:
        _guards[1].raises = _guards[1].waits = _guards[1].tells = False


def raise_lost_output() -> None:
    """Flush standard output, and raise what it has lost: for a command whose result is in its folder too."""
    sys.stdout.flush()
    if 1 in _guards and _guards[1].loss is not None:
        raise _guards[1].loss


def can_standard_stream_redraw(stream: TextIO | None) -> bool:
    """Return whether lines on a stream can be redrawn: a terminal, and one that is capable of it."""
    capable = os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    return capable and stream is not None and stream.isatty()


def was_stream_closed_at_start(descriptor: int) -> bool:
    """Return whether the program began without this standard stream."""
    return descriptor in _absent


def write_to_stderr(text: str) -> None:
    """Write a line to standard error at once, also from a signal handler in the middle of another write."""
    data = text.encode("ascii", "backslashreplace") + b"\n"
    if 2 in _guards:
        _guards[2].write(data)
        return
    with suppress(OSError):
        os.write(2, data)


def note_stream_event(text: str) -> bool:
    """Remember a loss of a standard stream, for run.log; return whether it is new."""
    if text in _notes:
        return False
    _notes.append(text)
    for listener in list(_listeners):
        listener(text)
    return True


def add_stream_listener(listener: Callable[[str], None]) -> None:
    """Call a listener with every loss of a standard stream, so far and from now on."""
    for text in _notes:
        listener(text)
    _listeners.append(listener)


def remove_stream_listener(listener: Callable[[str], None]) -> None:
    """Call a listener no more with losses of the standard streams."""
    _listeners.remove(listener)


def _open_closed_descriptors() -> None:
    """Put /dev/null where a standard descriptor is closed.

    The next file opened, a checkpoint perhaps, would take its number, and what a library writes to number 2 go there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _absent.add(descriptor)
            file_descriptors.redirect_to_devnull(descriptor)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115


def _guarded_stream(number: int, name: str, now: TextIO | None, own: TextIO | None, *, raises: bool) -> TextIO:
    """Return a standard stream with a guard below it; unchanged where it is not the process's own."""
    if now is not own:
        return cast("TextIO", now)
    lowest = _guards[number] = StreamGuard(number, name, raises=raises, waits=raises)
    if now is None:
        lowest.close_at_start()
    at_once = bool(getattr(now, "write_through", False))
    return io.TextIOWrapper(
        cast("io.BufferedWriter", lowest) if at_once else io.BufferedWriter(lowest),
        encoding=getattr(now, "encoding", "utf-8"),
        errors=ENCODING_ERRORS,
        line_buffering=bool(getattr(now, "line_buffering", False)),
        write_through=at_once,
    )


def _encode_by_nearest(error: UnicodeError) -> tuple[str, int]:
    r"""Handle an encoding error: our own signs by their nearest in ASCII, anything else as \uXXXX."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    note_stream_event(f"the console takes {error.encoding}: other characters are shown by their nearest, or as \\uXXXX")
    text = error.object[error.start : error.end].translate(NEAREST)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end
