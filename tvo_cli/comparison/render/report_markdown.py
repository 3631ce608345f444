"""The report of a comparison as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tvo_cli.comparison.render.document import ReportDocument, ReportSection, robustness_title, verdict_groups
from tvo_cli.comparison.render.table_cells import Table
from tvo_cli.escaping import markdown as markdown_text

# ---------------------------------------------------------------- terminal


# ---------------------------------------------------------------- Markdown


def report_as_markdown(document: ReportDocument, figures: Sequence[tuple[str, str]] = ()) -> str:
    """Return the whole report as a Markdown page; figures: (title, path) of each."""
    lines = [f"# {markdown_text(document.title)}", ""]
    for section in document.sections:
        level = "##"
        if section.label:
            lines += [f"## {markdown_text(section.label)}", ""]
            level = "###"
        lines += [*_markdown_verdicts(section, level)]
        for table in section.tables:
            lines += [
                f"{level} {markdown_text(table.title)}",
                "",
                *([*comparison_table_as_markdown(table), ""] if table.rows else []),
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


def _markdown_verdicts(section: ReportSection, level: str) -> Iterator[str]:
    """Yield a section's warnings, verdicts and robustness as Markdown."""
    yield from (f"> ⚠ {markdown_text(warning)}\n" for warning in section.warnings)
    for title, verdicts in verdict_groups(section):
        yield from ([f"{level} {markdown_text(title)}", ""] if title else [])
        for verdict in verdicts:
            yield f"- **{markdown_text(verdict.sentence)}**"
            yield from (f"  - {markdown_text(line)}" for line in verdict.beside)
        yield ""
    if section.robust:
        yield from (
            f"{level} {markdown_text(robustness_title(section))}",
            "",
            *(f"- {markdown_text(line)}" for line in section.robust),
            "",
        )


def comparison_table_as_markdown(table: Table) -> list[str]:
    """Return one table of the comparison in pipes; what is greyed out stands in italics."""
    rows = [
        [f"*{markdown_text(cell.text)}*" if cell.grey else markdown_text(cell.text) for cell in row]
        for row in table.rows
    ]
    cells = [[markdown_text(heading) for heading in table.headings], ["---"] * len(table.headings), *rows]
    return ["| " + " | ".join(row) + " |" for row in cells]


# ---------------------------------------------------------------- LaTeX


# ---------------------------------------------------------------- JSON
