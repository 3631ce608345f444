"""The report of a comparison on a terminal: verdicts, the main tables, warnings, notes."""

from __future__ import annotations

from collections.abc import Iterator

from tvo_cli import escaping
from tvo_cli.comparison.render.document import ReportDocument, ReportSection, robustness_title, verdict_groups
from tvo_cli.comparison.render.table_cells import Table

TERMINAL_TABLES = ("arms", "rates", "robustness")  # tables that a terminal shows


def report_on_terminal(document: ReportDocument) -> str:
    """Return the report for a terminal: verdicts, the main tables, warnings, notes."""
    lines = [document.title, ""]
    for section in document.sections:
        lines += _section_heading(section)
        lines += [*_verdict_lines(section), ""]
        for table in section.tables:
            if table.name in TERMINAL_TABLES and table.rows:
                lines += [table.title, *align_table(table), *([table.note] if table.name == "arms" else []), ""]
    lines += [f"note: {note}" for note in document.notes]
    return "\n".join(map(escaping.terminal, lines)).rstrip() + "\n"


def _section_heading(section: ReportSection) -> list[str]:
    return [f"── {section.label} ──", ""] if section.label else []


def _verdict_lines(section: ReportSection) -> Iterator[str]:
    """Yield a section's warnings, then its verdicts, as plain lines."""
    yield from (f"⚠ {warning}" for warning in section.warnings)
    for title, verdicts in verdict_groups(section):
        if title:
            yield f"{title}:"
        for verdict in verdicts:
            yield verdict.sentence
            yield from (f"    {line}" for line in verdict.beside)
    if section.robust:
        yield robustness_title(section) + ":"
        yield from section.robust


def align_table(table: Table) -> list[str]:
    """Return a table's lines, its columns aligned."""
    rows = [[*map(escaping.terminal, cells)] for cells in (table.headings, *([d.text for d in r] for r in table.rows))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
