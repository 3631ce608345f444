"""The files of a comparison for a paper: table.tex, figures as PDF, and a main.tex that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tvo_cli.comparison.render.document import ReportDocument
from tvo_cli.comparison.render.paper_columns import DEFAULT_COLUMNS
from tvo_cli.comparison.render.paper_table import LABEL, paper_table_as_latex
from tvo_cli.comparison.render.plot_style import Plot
from tvo_cli.escaping import latex as latex_text
from tvo_cli.tracking.atomic_files import write_text_atomically

PREAMBLE = r"""% made by tvo compare --paper: pdflatex main.tex; take table.tex and figures/ into your own paper
\documentclass[twocolumn]{article}
\usepackage[margin=0.75in,columnsep=0.25in]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
\setlength{\belowcaptionskip}{6pt}
\begin{document}"""


def write_paper_folder(document: ReportDocument, folder: Path, columns: Sequence[str] = DEFAULT_COLUMNS) -> bool:
    """Write table.tex, figures/NAME.pdf at the width of a column, and main.tex, which compiles as it is.

    True if a main.tex with other text is there: it is yours then, and stays.
    """
    from tvo_cli.comparison.render.figures import figures_as_pdf

    table = paper_table_as_latex(document, columns)
    drawn = figures_as_pdf(document)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for figure in drawn:
        (folder / "figures" / f"{figure.name}.pdf").write_bytes(figure.pdf)
    write_text_atomically(folder / "table.tex", table)
    main, text = folder / "main.tex", _main_file(document, drawn)
    if main.exists() and main.read_text(encoding="utf-8") != text:
        return True
    write_text_atomically(main, text)
    return False


def _main_file(document: ReportDocument, figures: Sequence[Plot]) -> str:
    """Return main.tex: the table over both columns, the verdicts, and every figure with its caption."""
    verdicts = [verdict.sentence for section in document.sections for verdict in section.verdicts]
    said = [rf"\noindent {latex_text(sentence)}\par" for sentence in verdicts]
    shown = [line for figure in figures for line in _figure_environment(figure)]
    wide = [r"\let\onecolumntable\table \let\endonecolumntable\endtable"]
    wide += [r"\renewenvironment{table}[1][t]{\begin{table*}[#1]}{\end{table*}}"]
    table = [r"{", *wide, r"\input{table}", r"}", rf"Table~\ref{{{LABEL}}} has the numbers.\par", ""]
    return "\n".join([PREAMBLE, *table, *said, *shown, r"\end{document}", ""])


def _figure_environment(figure: Plot) -> list[str]:
    """Return the lines of main.tex that show a figure at the width of a column."""
    return [
        "",
        r"\begin{figure}",
        r"\centering",
        rf"\includegraphics[width=\columnwidth]{{figures/{figure.name}.pdf}}",
        rf"\caption{{{latex_text(figure.title)}}}",
        rf"\label{{fig:tvo-{figure.name}}}",
        r"\end{figure}",
    ]
