"""Where a protocol looks for the answer: completions that state it without a box are given one."""

from __future__ import annotations

import re

MINERVA = re.compile(r"final answer is:?\s*(.+?)\.?\s*(?:I hope it is correct|$)", re.IGNORECASE | re.DOTALL)
TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
LONGEST = 1000  # characters of a stated answer


def readable(completion: str, where: str) -> str:
    """The completion as the grader reads it.

    boxed: as it is. minerva: what "The final answer is …" states (Lewkowycz et al. 2022, arXiv:2206.14858), else
    the box. tagged: what stands in the last <answer>…</answer> and nothing else (DeepSeek-R1, arXiv:2501.12948).
    """
    if where == "boxed":
        return completion
    found = _last(MINERVA if where == "minerva" else TAGGED, completion)
    if found is None:
        return completion if where == "minerva" else ""
    return found if "\\boxed" in found else f"\\boxed{{{_bare(found)}}}"


def _last(pattern: re.Pattern[str], completion: str) -> str | None:
    at = completion.lower().rfind("final answer is") if pattern is MINERVA else completion.rfind("<answer>")
    found = pattern.search(completion, at) if at >= 0 else None
    return found[1].strip() if found and len(found[1]) <= LONGEST else None


def _bare(text: str) -> str:
    """Without the dollar signs around it."""
    return text.strip().strip("$").strip()
