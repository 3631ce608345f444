"""The report of a comparison as one HTML file that needs nothing else: style, script, tables and figures inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tvo_cli.comparison.render.document import ReportDocument, ReportSection, robustness_title, verdict_groups
from tvo_cli.comparison.render.svg_in_html import colours_of_roles, inline_svg
from tvo_cli.comparison.render.table_cells import Table, TableCell
from tvo_cli.escaping import html as escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
HERE = Path(__file__).parent
UNBROKEN = 24  # characters of a cell that stand in one line


def report_as_html(document: ReportDocument, figures: Sequence[tuple[str, str]]) -> str:
    """Return the whole HTML page; figures: (title, SVG) of each."""
    style = colours_of_roles() + (HERE / "page.css").read_text(encoding="utf-8")
    script = (HERE / "page.js").read_text(encoding="utf-8")
    body = "\n".join(_html_body(document, figures))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(document.title)}</title>\n<style>{style}</style>\n</head>\n'
        f"<body>\n{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _html_body(document: ReportDocument, figures: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"<h1>{escape(document.title)}</h1>"
    links = [*([("#figures", "Figures")] if figures else []), ("#tables", "Tables")]
    links += [("#notes", f"Notes ({len(document.notes)})")] if document.notes else []
    yield "<nav>" + "".join(f'<a href="{place}">{name}</a>' for place, name in links) + "</nav>"
    for section in document.sections:
        yield from _html_verdicts(section)
    if figures:
        yield '<h2 id="figures">Figures</h2>'
        for number, (title, svg) in enumerate(figures, start=1):
            picture = inline_svg(svg, f"f{number}", title)
            yield f"<figure>\n{picture}\n<figcaption>{escape(title)}.</figcaption>\n</figure>"
    yield '<h2 id="tables">Tables</h2>'
    for section in document.sections:
        yield f"<h3>{escape(section.label)}</h3>" if section.label else ""
        for table in section.tables:
            yield from _html_table(table)
    if document.notes:
        yield '<h2 id="notes">Notes</h2>\n<ul>'
        yield from (f"<li>{escape(note)}</li>" for note in document.notes)
        yield "</ul>"


def _html_verdicts(section: ReportSection) -> Iterator[str]:
    """Yield a section's warnings and verdicts as HTML."""
    yield f"<h2>{escape(section.label)}</h2>" if section.label else ""
    yield from (f'<p class="warning">⚠ {escape(warning)}</p>' for warning in section.warnings)
    for title, verdicts in verdict_groups(section):
        yield (f"<h3>{escape(title)}</h3>" if title else "") + '<ul class="verdicts">'
        for verdict in verdicts:
            kind = ' class="separated"' if verdict.contrast.separated else ""
            beside = "".join(f'<p class="beside">{escape(line)}</p>' for line in verdict.beside)
            yield f"<li{kind}>{escape(verdict.sentence)}{beside}</li>"
        yield "</ul>"
    if section.robust:
        yield f'<h3>{escape(robustness_title(section))}</h3>\n<ul class="verdicts">'
        yield from (f"<li>{escape(line)}</li>" for line in section.robust)
        yield "</ul>"


# ---------------------------------------------------------------- tables


def _html_table(table: Table) -> Iterator[str]:
    """Yield a table as HTML, sortable; long ones are folded."""
    folded = table.name in ("runs", "settings")
    yield (
        f"<details><summary>{escape(table.title)} ({len(table.rows)})</summary>"
        if folded
        else f"<h3>{escape(table.title)}</h3>"
    )
    yield from _html_table_rows(table) if table.rows else ()
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'
    if folded:
        yield "</details>"


def _html_table_rows(table: Table) -> Iterator[str]:
    yield '<div class="scroll" tabindex="0"><table><thead><tr>'
    yield "".join(
        f'<th scope="col"><button type="button">{escape(heading)}</button></th>' for heading in table.headings
    )
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield "<tr>" + "".join(_html_cell(cell) for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def _html_cell(cell: TableCell) -> str:
    finite = cell.order is not None and cell.order - cell.order == 0
    order = f' data-order="{cell.order!r}"' if finite else (' data-order="1e999"' if cell.order == float("inf") else "")
    kind = ' class="grey"' if cell.grey else (' class="long"' if len(cell.text) > UNBROKEN else "")
    return f"<td{kind}{order}>{escape(cell.text).replace('_', '_<wbr>')}</td>"  # a long name may break there
