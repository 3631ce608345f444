"""A stream whose first bytes have been read already, to detect its format."""

from __future__ import annotations

import io
from typing import IO, Any


class BytesAhead(io.RawIOBase):
    """A stream of `head`, then of what is left of another stream."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest
        self._read: Any = getattr(rest, "read1", rest.read)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As many bytes as are there, at most the buffer's size."""
        if self._head:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
