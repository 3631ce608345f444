"""The report as text: for a terminal, as Markdown, as LaTeX tables, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tvo_cli import escaping
from tvo_cli.compare import formatting
from tvo_cli.compare.render.document import Document, Section, Verdict, strict, value
from tvo_cli.compare.render.table_cells import Table
from tvo_cli.escaping import latex as latex_text
from tvo_cli.escaping import markdown as markdown_text

BRIEF = ("arms", "rates", "robustness")  # tables that a terminal shows


# ---------------------------------------------------------------- terminal


def terminal(document: Document) -> str:
    """Verdicts, the main tables, warnings, notes."""
    lines = [document.title, ""]
    for section in document.sections:
        lines += _heading(section)
        lines += [*_told(section), ""]
        for table in section.tables:
            if table.name in BRIEF and table.rows:
                lines += [table.title, *aligned(table), *([table.note] if table.name == "arms" else []), ""]
    lines += [f"note: {note}" for note in document.notes]
    return "\n".join(map(escaping.terminal, lines)).rstrip() + "\n"


def _heading(section: Section) -> list[str]:
    return [f"── {section.label} ──", ""] if section.label else []


def _told(section: Section) -> Iterator[str]:
    """Warnings, then verdicts, plain."""
    yield from (f"⚠ {warning}" for warning in section.warnings)
    for title, verdicts in groups(section):
        if title:
            yield f"{title}:"
        for verdict in verdicts:
            yield verdict.sentence
            yield from (f"    {line}" for line in verdict.beside)
    if section.robust:
        yield robust_title(section) + ":"
        yield from section.robust


def groups(section: Section) -> Iterator[tuple[str, tuple[Verdict, ...]]]:
    """Verdicts under their titles: at the own rates, then at each shared one."""
    if section.verdicts:
        ways = {chosen.way for chosen in section.found.chosen.values() if chosen.way}
        how = f" (--choose-rate {' or '.join(sorted(ways))})" if ways else ""
        yield (f"Each at its own best rate{how}" if section.found.swept else ""), section.verdicts
    for rate, verdicts in section.at_rates:
        yield f"Both at rate {formatting.rate(rate)}", verdicts


def robust_title(section: Section) -> str:
    """Over which rates."""
    return f"Over the rates {', '.join(formatting.rate(rate) for rate in section.found.shared)}"


def aligned(table: Table) -> list[str]:
    """The table with its columns in line."""
    rows = [[*map(escaping.terminal, cells)] for cells in (table.headings, *([d.text for d in r] for r in table.rows))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


# ---------------------------------------------------------------- Markdown


def markdown(document: Document, figures: Sequence[tuple[str, str]] = ()) -> str:
    """The whole report as a page; figures: (title, path) of each."""
    lines = [f"# {markdown_text(document.title)}", ""]
    for section in document.sections:
        level = "##"
        if section.label:
            lines += [f"## {markdown_text(section.label)}", ""]
            level = "###"
        lines += [*_markdown_told(section, level)]
        for table in section.tables:
            lines += [
                f"{level} {markdown_text(table.title)}",
                "",
                *([*markdown_table(table), ""] if table.rows else []),
            ]
            lines += [markdown_text(table.note), ""] if table.note else []
    if figures:
        lines += ["## Figures", ""]
        lines += [
            line
            for title, path in figures
            for line in (f"![{Path(path).stem}]({path})", "", f"*{markdown_text(title)}*", "")
        ]
    if document.notes:
        lines += ["## Notes", "", *(f"- {markdown_text(note)}" for note in document.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_told(section: Section, level: str) -> Iterator[str]:
    yield from (f"> ⚠ {markdown_text(warning)}\n" for warning in section.warnings)
    for title, verdicts in groups(section):
        yield from ([f"{level} {markdown_text(title)}", ""] if title else [])
        for verdict in verdicts:
            yield f"- **{markdown_text(verdict.sentence)}**"
            yield from (f"  - {markdown_text(line)}" for line in verdict.beside)
        yield ""
    if section.robust:
        yield from (
            f"{level} {markdown_text(robust_title(section))}",
            "",
            *(f"- {markdown_text(line)}" for line in section.robust),
            "",
        )


def markdown_table(table: Table) -> list[str]:
    """The table in pipes; what is greyed out stands in italics."""
    rows = [
        [f"*{markdown_text(datum.text)}*" if datum.grey else markdown_text(datum.text) for datum in row]
        for row in table.rows
    ]
    cells = [[markdown_text(heading) for heading in table.headings], ["---"] * len(table.headings), *rows]
    return ["| " + " | ".join(row) + " |" for row in cells]


# ---------------------------------------------------------------- LaTeX


def latex(document: Document) -> str:
    """Every table as a booktabs environment, to be \\input; the verdicts as comments."""
    lines = ["% made by tvo compare; needs \\usepackage{booktabs} and a UTF-8 engine or inputenc"]
    for section in document.sections:
        lines += [f"% {escaping.terminal(verdict.sentence)}" for verdict in section.verdicts]
        for table in section.tables:
            if table.rows and table.name not in ("runs", "settings"):
                lines += ["", *latex_table(table, section.label)]
    return "\n".join(lines) + "\n"


def latex_table(table: Table, label: str = "") -> list[str]:
    """One table; numbers to the right, words to the left."""
    columns = "".join("l" if i == 0 else "r" for i in range(len(table.headings)))
    rows = [[latex_text(datum.text) for datum in row] for row in table.rows]
    body = [" & ".join(row) + r" \\" for row in rows]
    caption = table.title + (f" ({label})" if label else "")
    return [
        r"\begin{table}",
        rf"\caption{{{latex_text(caption)}. {latex_text(table.note)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(latex_text(heading) for heading in table.headings) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


# ---------------------------------------------------------------- JSON


def as_json(document: Document) -> str:
    """Everything with its numbers, strict JSON."""
    content = {
        "title": document.title,
        "metric": document.how.metric,
        "confidence": document.how.confidence,
        "failed runs count": document.how.failed_as,
        "notes": list(document.notes),
        "sections": [_json_section(section) for section in document.sections],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _json_section(section: Section) -> dict[str, Any]:
    return {
        "label": section.label,
        "baseline": section.found.baseline.label,
        "warnings": list(section.warnings),
        "verdicts": [_json_verdict(verdict, "own") for verdict in section.verdicts]
        + [_json_verdict(verdict, rate) for rate, verdicts in section.at_rates for verdict in verdicts],
        "tables": {
            table.name: {
                "note": table.note,
                "rows": [{h: value(d) for h, d in zip(table.headings, row, strict=True)} for row in table.rows],
            }
            for table in section.tables
        },
    }


def _json_verdict(verdict: Verdict, rate: str | float) -> dict[str, Any]:
    one = verdict.contrast
    said = strict(one.over_seeds._asdict())
    return {
        "a": one.a.arm,
        "b": one.b.arm,
        "rate": rate,
        "sentence": verdict.sentence,
        "beside": list(verdict.beside),
        **said,
        "paired": one.paired,
        "p_holm": strict(one.adjusted),
        "separated": one.separated,
        "seeds_needed": one.needed,
    }
