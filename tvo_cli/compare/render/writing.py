"""The report's formats, and its folder."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.compare.render import text_formats
from tvo_cli.compare.render.document import Document
from tvo_cli.tracking.run_folder import write_text


def shown(document: Document, form: str) -> str:
    """The report as it is printed: table, json, markdown or html."""
    if form == "json":
        return text_formats.as_json(document)
    if form == "markdown":
        return text_formats.markdown(document)
    if form == "html":
        from tvo_cli.compare.render import html, plots

        return html.page(document, plots.inline(document))
    return text_formats.terminal(document)


def write(document: Document, folder: Path) -> None:
    """Write report.html, report.md, tables.tex, comparison.json and figures/ (SVG, and PNG at 200 dpi)."""
    from tvo_cli.compare.render import html, plots

    drawn = plots.draw(document, folder / "figures")
    inline = [(figure.title, figure.svg) for figure in drawn]
    write_text(folder / "report.html", html.page(document, inline))
    linked = [(figure.title, f"figures/{figure.name}.svg") for figure in drawn]
    write_text(folder / "report.md", text_formats.markdown(document, linked))
    write_text(folder / "tables.tex", text_formats.latex(document))
    write_text(folder / "comparison.json", text_formats.as_json(document))
