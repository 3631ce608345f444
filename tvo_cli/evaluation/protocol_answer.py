"""The answer of a completion as a protocol looks for it (boxed, minerva, tagged), put into a box for the grader."""

from __future__ import annotations

import re
from collections import deque

STATED = re.compile(r"final\s+answer\s+is\b\s*:?\s*", re.IGNORECASE)
HOPE = re.compile(r"[\s.*$]*I hope it is correct", re.IGNORECASE)
MATHEMATICS = re.compile(r"(?:\*\*)?(\$\$.+?\$\$|\$(?:[^$\\]|\\.)+\$|\\\(.+?\\\)|\\\[.+?\\\])", re.DOTALL)
SENTENCE = re.compile(r".+?(?=[.!]?[*_]*\s*\n|[.!][*_]*\s+[A-Z(]|[.!]?[*_]*\s*\Z)", re.DOTALL)
DOLLAR = re.compile(r"(?<!\\)\$")  # not the \$ of money
TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
LONGEST = 1000  # characters of a stated answer


def text_for_grader(completion: str, where: str) -> str:
    """The completion as the grader reads it.

    boxed: as it is. minerva: what "The final answer is …" states (Lewkowycz et al. 2022, arXiv:2206.14858), else
    the box. tagged: what stands in the last <answer>…</answer> and nothing else (DeepSeek-R1, arXiv:2501.12948).
    """
    if where == "boxed":
        return completion
    found = _minerva_protocol_answer(completion) if where == "minerva" else _tagged_answer(completion)
    if found is None or len(found) > LONGEST:
        return completion if where == "minerva" else ""
    return found if "\\boxed" in found else f"\\boxed{{{_protocol_answer_without_delimiters(found)}}}"


def _minerva_protocol_answer(completion: str) -> str | None:
    """What the last "final answer is" states: up to "I hope it is correct", else its mathematics, else its sentence."""
    last = deque(STATED.finditer(completion), maxlen=1)
    if not last:
        return None
    rest = completion[last[0].end() :][: 2 * LONGEST]
    hope = HOPE.search(rest)
    if hope and "\n\n" not in rest[: hope.start()].strip():
        return rest[: hope.start()].strip()
    first = MATHEMATICS.match(rest)
    sentence = SENTENCE.match(rest, first.end() if first else 0)
    behind = sentence[0] if sentence else ""
    several = first and MATHEMATICS.search(behind)  # "$1$ and $2$" is one answer, "$3$ apples" is its number
    return ((first[0] if first else "") + (behind if several or not first else "")).strip(" *_\n\t") or None


def _tagged_answer(completion: str) -> str | None:
    at = completion.rfind("<answer>")
    found = TAGGED.search(completion, at) if at >= 0 else None
    return found[1].strip() if found else None


def _protocol_answer_without_delimiters(text: str) -> str:
    """Without the signs of mathematics around it."""
    bare = DOLLAR.sub("", text).strip()
    paired = (("\\(", "\\)"), ("\\[", "\\]"))
    inner = [bare[2:-2].strip() for opening, closing in paired if bare.startswith(opening) and bare.endswith(closing)]
    return inner[0] if inner else bare
