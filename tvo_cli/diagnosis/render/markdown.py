"""A diagnosis as Markdown for an issue: text of the log is escaped, what is to be pasted stands in code blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tvo_cli.diagnosis.diagnosis import Diagnosis
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.registry import BY_NAME
from tvo_cli.diagnosis.render import wording
from tvo_cli.escaping import markdown, terminal


def diagnoses_as_markdown(diagnoses: Sequence[Diagnosis]) -> str:
    """Return the diagnoses under each other."""
    return "\n".join(line for one in diagnoses for line in _markdown_lines(one)) + "\n"


def _markdown_lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield f"## {markdown(wording.headline(diagnosis))}\n"
    if wording.verdict_summary(diagnosis):
        yield f"{wording.verdict_summary(diagnosis)}\n"
    for finding in diagnosis.findings:
        yield from _finding_lines(finding)
    for note in (wording.unexamined(diagnosis), *diagnosis.notes):
        if note:
            yield f"{markdown(note)}\n"


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"### {markdown(wording.title(finding))}\n"
    yield f"{markdown(wording.meaning(finding))}\n"
    yield f"- evidence: {markdown(finding.message)}"
    yield f"- cost since then: {markdown(wording.cost_text(finding.cost))}"
    sources = BY_NAME[finding.failure].sources if finding.failure in BY_NAME else ()
    if sources:
        yield f"- rests on: {markdown(', '.join(sources))}"
    yield "\nWhat to change, in this order:\n"
    for number, remedy in enumerate(finding.remedies, start=1):
        yield f"{number}. {markdown(remedy.text)}"
        yield from _code(remedy)
    yield ""


def _code(remedy: Remedy) -> Iterator[str]:
    """Yield what to paste as an indented block, in which nothing is markup."""
    lines = [remedy.command] if remedy.command else [" ".join(remedy.overrides)] if remedy.overrides else []
    if lines:
        yield ""
        yield from (f"        {terminal(line)}" for line in lines)
        yield ""
