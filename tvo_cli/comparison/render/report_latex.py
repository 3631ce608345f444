"""The tables of a comparison as LaTeX."""

from __future__ import annotations

from tvo_cli import escaping
from tvo_cli.comparison.render.document import ReportDocument
from tvo_cli.comparison.render.table_cells import Table
from tvo_cli.escaping import latex as latex_text


def report_as_latex(document: ReportDocument) -> str:
    r"""Return every table as a booktabs environment, to be \\input; the verdicts as comments."""
    lines = ["% made by tvo compare; needs \\usepackage{booktabs} and a UTF-8 engine or inputenc"]
    several = len(document.sections) > 1
    for number, section in enumerate(document.sections, start=1):
        lines += [f"% {escaping.terminal(verdict.sentence)}" for verdict in section.verdicts]
        for table in section.tables:
            if table.rows and table.name not in ("runs", "settings"):
                lines += ["", *comparison_table_as_latex(table, section.label, f"-{number}" if several else "")]
    return "\n".join(lines) + "\n"


def comparison_table_as_latex(table: Table, label: str = "", suffix: str = "") -> list[str]:
    r"""Return one table of the comparison as LaTeX; its \\label is tab:tvo-NAME, with the suffix of its section."""
    columns = "".join("l" if i == 0 else "r" for i in range(len(table.headings)))
    rows = [[latex_text(cell.text) for cell in row] for row in table.rows]
    body = [" & ".join(row) + r" \\" for row in rows]
    caption = table.title + (f" ({label})" if label else "")
    return [
        r"\begin{table}",
        rf"\caption{{{latex_text(caption)}. {latex_text(table.note)}}}",
        rf"\label{{tab:tvo-{table.name}{suffix}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(latex_text(heading) for heading in table.headings) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
