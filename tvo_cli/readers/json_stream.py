"""Streaming of JSON: values of an array, or one after the other, not held in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

BLOCK = 1 << 16  # characters
BLANK = " \t\r\n\ufeff"


class JsonStreamError(Exception):
    """What follows in a JSON stream is no value; why."""


class JsonStream:
    """An iterator over (value, characters) of a JSON stream."""

    def __init__(self, text: TextIO, decoder: json.JSONDecoder, longest: int) -> None:
        self._text, self._decoder, self._longest = text, decoder, longest
        self._buffer, self._at = "", 0

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        in_array = self._next() == "["
        self._at += in_array
        expected = self._next()
        while expected and not (in_array and expected == "]"):
            start = self._at
            value = self._value()
            yield value, self._at - start
            expected = self._separated(in_array)
        if in_array and not expected:
            raise JsonStreamError("is missing: the array is cut off")
        if self._take() and self._next():
            raise JsonStreamError("stands behind the end of the array")

    def _separated(self, in_array: bool) -> str:
        """The first character of the next value, or what ends the values."""
        mark = self._next()
        if not in_array or mark in ("]", ""):
            return mark
        if mark != ",":
            raise JsonStreamError(f"is not JSON (a comma was expected, not {mark!r})")
        self._at += 1
        following = self._next()
        if following == "]":
            raise JsonStreamError("is missing: a comma stands before the end of the array")
        return following

    def _take(self) -> bool:
        """Step over the bracket that ended the array, where there is one."""
        found = self._next() == "]"
        self._at += found
        return found

    def _next(self) -> str:
        """The next character that is not blank; "" at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in BLANK:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._more(BLOCK):
                return ""

    def _value(self) -> Any:
        """The value that begins here; more text is read until it is whole."""
        size = BLOCK
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
                if end < len(self._buffer) or not self._more(BLOCK):  # 12 may be the beginning of 123
                    self._at = end
                    return value
                continue
            except RecursionError:
                raise JsonStreamError("is nested too deep") from None
            except ValueError as error:
                partial = isinstance(error, json.JSONDecodeError)
                if not partial or len(self._buffer) - self._at > self._longest or not self._more(size):
                    raise JsonStreamError(f"is not JSON ({_json_error_text(error)})") from error
            size *= 2

    def _more(self, size: int) -> bool:
        """Read on; whether there was anything."""
        try:
            block = self._text.read(size)
        except UnicodeDecodeError as error:
            raise JsonStreamError(f"is not {error.encoding.upper()} ({error.reason})") from error
        self._buffer, self._at = self._buffer[self._at :] + block, 0
        return bool(block)


def _json_error_text(error: ValueError) -> str:
    """What is wrong with a value of a JSON stream, without the place that Python adds."""
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)
