"""A diagnosis as one HTML file that needs nothing else: no script, style and marked curves inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tvo_cli.diagnosis.diagnosis import Diagnosis
from tvo_cli.diagnosis.finding import Finding
from tvo_cli.diagnosis.registry import BY_NAME
from tvo_cli.diagnosis.render import wording
from tvo_cli.diagnosis.render.curve_svg import SvgCurve, SvgStepMark, curves_as_svg
from tvo_cli.escaping import html

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
OVERVIEW = (("reward/mean", "a"), ("accuracy/fresh", "b"), ("eval/pass@1", "c"))


def diagnoses_as_html(diagnoses: Sequence[Diagnosis]) -> str:
    """Return the whole page."""
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    body = "\n".join(line for one in diagnoses for line in _run(one))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>tvo diagnose</title>\n<style>{style}</style>\n</head>\n'
        f"<body>\n<h1>Diagnosis</h1>\n{body}\n</body>\n</html>\n"
    )


def _run(diagnosis: Diagnosis) -> Iterator[str]:
    yield f'<h2 class="{diagnosis.verdict}">{html(wording.headline(diagnosis))}</h2>'
    if wording.verdict_summary(diagnosis):
        yield f"<p>{html(wording.verdict_summary(diagnosis))}</p>"
    yield from _overview_curves(diagnosis)
    for finding in diagnosis.findings:
        yield from _finding(diagnosis, finding)
    notes = [note for note in (wording.unexamined(diagnosis), *diagnosis.notes) if note]
    yield from (f'<p class="quiet">{html(note)}</p>' for note in notes)


def _overview_curves(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield reward, accuracy and held-out accuracy, with the first step of every finding that is active."""
    curves = [SvgCurve(name, *diagnosis.log.column(name), style) for name, style in OVERVIEW]
    curves = [one for one in curves if one.steps]
    if len(curves) > 1 and curves[0].values == curves[1].values:
        curves = curves[1:]  # the reward is the accuracy
    marks = [SvgStepMark(one.first_step, one.failure, "first") for one in diagnosis.findings[:1]]
    picture = curves_as_svg(curves, marks)
    if picture:
        keys = "".join(f'<span class="key {one.style}"></span>{html(one.name)}' for one in curves)
        yield f"<figure>{picture}<figcaption>{keys}</figcaption></figure>"


def _finding(diagnosis: Diagnosis, finding: Finding) -> Iterator[str]:
    yield f'<section class="{finding.severity}">'
    yield f'<h3 class="{finding.severity}">{html(wording.title(finding))}</h3>'
    yield f"<p>{html(wording.meaning(finding))}</p>\n<p>{html(finding.message)}</p>"
    marks = [SvgStepMark(finding.first_step, f"since step {finding.first_step}", "first")]
    if finding.alarm_step > finding.first_step:
        marks.append(SvgStepMark(finding.alarm_step, f"seen at step {finding.alarm_step}", "alarm"))
    curve = SvgCurve(finding.metric, *diagnosis.log.column(finding.metric), "a")
    picture = curves_as_svg([curve], marks, finding.evidence.get("threshold"))
    yield f"<figure>{picture}<figcaption>{html(finding.metric)}</figcaption></figure>" if picture else ""
    yield f"<p>Cost since then: {html(wording.cost_text(finding.cost))}.</p>\n<ol>"
    for remedy in finding.remedies:
        paste = remedy.command or " ".join(remedy.overrides)
        yield f"<li>{html(remedy.text)}{f'<code>{html(paste)}</code>' if paste else ''}</li>"
    sources = BY_NAME[finding.failure].sources if finding.failure in BY_NAME else ()
    yield f'</ol>\n<p class="quiet">Rests on: {html(", ".join(sources))}.</p></section>'
