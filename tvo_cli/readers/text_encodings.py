"""The encoding of a text file: UTF-8 unless its first bytes say otherwise."""

from __future__ import annotations

MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def encoding_of(head: bytes) -> str:
    """Return the encoding by the byte order mark; without one, every other byte of UTF-16 text is 0."""
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return encoding
    if len(head) > 3 and head[0] and head[1] == 0 and head[2] and head[3] == 0:
        return "utf-16-le"
    if len(head) > 3 and head[0] == 0 and head[1] and head[2] == 0 and head[3]:
        return "utf-16-be"
    return "utf-8"
