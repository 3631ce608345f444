"""The files of a comparison's report: printed in one format, or written into a folder."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.comparison.render import report_json, report_latex, report_markdown, report_terminal
from tvo_cli.comparison.render.document import ReportDocument
from tvo_cli.tracking.atomic_files import write_text_atomically


def report_in_format(document: ReportDocument, form: str) -> str:
    """Return the report as it is printed: table, json, markdown or html."""
    if form == "json":
        return report_json.report_as_json(document)
    if form == "markdown":
        return report_markdown.report_as_markdown(document)
    if form == "html":
        from tvo_cli.comparison.render import figures, report_html

        return report_html.report_as_html(document, figures.figures_as_svg(document))
    return report_terminal.report_on_terminal(document)


def write_report_folder(document: ReportDocument, folder: Path) -> None:
    """Write report.html, report.md, tables.tex, comparison.json and figures/ (SVG, and PNG at 200 dpi)."""
    from tvo_cli.comparison.render import figures, report_html

    drawn = figures.write_figures(document, folder / "figures")
    inline = [(figure.title, figure.svg) for figure in drawn]
    write_text_atomically(folder / "report.html", report_html.report_as_html(document, inline))
    linked = [(figure.title, f"figures/{figure.name}.svg") for figure in drawn]
    write_text_atomically(folder / "report.md", report_markdown.report_as_markdown(document, linked))
    write_text_atomically(folder / "tables.tex", report_latex.report_as_latex(document))
    write_text_atomically(folder / "comparison.json", report_json.report_as_json(document))
