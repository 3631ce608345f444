"""Texts as they may be read: whole characters, and no backslash that JSON has eaten."""

from __future__ import annotations

import re

from tvo_cli.readers.faults import Malformed

HALF = re.compile("[\ud800-\udfff]")
EATEN = re.compile("\x08(?:oxed|egin|inom|ar|eta|mod)|\x0c(?:rac|box|orall)")  # \b and \f before the rest of a command


def checked(text: str, noun: str) -> str:
    """The text.

    Raises:
        Malformed: it holds half a surrogate pair, or a LaTeX command whose backslash was written once in JSON.
    """
    if found := HALF.search(text):
        problem = f"has half a character (\\u{ord(found[0]):04x}, of a pair of two) in its {noun}"
        raise Malformed(problem, "Write the whole character, or remove it.")
    if found := EATEN.search(text):
        command = {"\x08": "b", "\x0c": "f"}[found[0][0]] + found[0][1:]
        problem = f"has a control character where its {noun} should say \\{command}"
        raise Malformed(problem, f"In JSON a backslash is written twice: \\\\{command}")
    return text
