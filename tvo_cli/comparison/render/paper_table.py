"""The table of a comparison for a paper, in LaTeX: rows of the chosen columns, bold, caption and label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.render.arms_and_runs_tables import end_of_noise, note_on_best_values
from tvo_cli.comparison.render.document import ReportDocument
from tvo_cli.comparison.render.paper_columns import PLUS_MINUS, STAR, PaperColumn, best_arm_of_column, paper_columns
from tvo_cli.comparison.render.report_warnings import rates_not_in_choice_in_words
from tvo_cli.escaping import latex as latex_text
from tvo_cli.runs.trial import FAILED, UNFINISHED

LABEL = "tab:tvo-comparison"
MANY_COLUMNS = 6  # more are set smaller and closer
HEAD = "% made by tvo compare --paper; needs \\usepackage{booktabs}"


def paper_table_as_latex(document: ReportDocument, names: Sequence[str]) -> str:
    """Return the whole comparison as one table: a row an arm, a part a block, with caption and label."""
    columns = paper_columns(names)
    first = document.sections[0].found
    headings = ["", *(_with_latex_signs(column.heading(first)) for column in columns.values())]
    parts = [line for section in document.sections for line in _rows_of_block(section.label, section.found, columns)]
    lines = [
        HEAD,
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{latex_text(_caption(document, columns))}}}",
        rf"\label{{{LABEL}}}",
        *([r"\small\setlength{\tabcolsep}{4pt}"] if len(columns) > MANY_COLUMNS else []),
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(headings) + r" \\",
        *parts,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _rows_of_block(label: str, found: BlockAnalysis, columns: Mapping[str, PaperColumn]) -> Iterator[str]:
    """Yield the rows of a block, under its settings where there are several blocks."""
    yield r"\midrule"
    if label:
        yield rf"\multicolumn{{{len(columns) + 1}}}{{l}}{{\emph{{{latex_text(label)}}}}} \\"
    bold = {name: best_arm_of_column(column, found) for name, column in columns.items()}
    for arm in found.block.arms:
        cells = [_latex_cell(column.cell(found, arm), bold=bold[name] == arm.label) for name, column in columns.items()]
        yield " & ".join([latex_text(arm.title), *cells]) + r" \\"


def _latex_cell(text: str, *, bold: bool) -> str:
    shown = _with_latex_signs(text)
    return rf"\textbf{{{shown}}}" if bold else shown


def _with_latex_signs(text: str) -> str:
    """Return a paper's cell as LaTeX: a rate as a power of ten, ± with a space that no line is broken at."""
    digits, e, power = text.partition("e")
    if e and digits.replace(".", "").isdigit() and power.lstrip("-").isdigit():
        factor = "" if digits == "1" else rf"{digits}\times "
        return rf"${factor}10^{{{int(power)}}}$"
    return latex_text(text).replace(f" {latex_text(PLUS_MINUS)} ", r"\,$\pm$\,")


def _caption(document: ReportDocument, columns: Mapping[str, PaperColumn]) -> str:
    """Return the caption: what the numbers are, what bold and the star mean, and what counts how."""
    return " ".join(sentence for sentence in _sentences_of_caption(document, columns) if sentence)


def _sentences_of_caption(document: ReportDocument, columns: Mapping[str, PaperColumn]) -> Iterator[str]:
    how, blocks = document.how, [section.found for section in document.sections]
    level = f"{1 - how.confidence:.0%}"
    yield f"{how.metric}: mean {PLUS_MINUS} half the width of the {how.confidence:.0%} t interval over seeds."
    yield "Less is better." if how.less else ""
    if any(found.swept for found in blocks):
        ways = sorted({chosen.way for found in blocks for chosen in found.chosen.values() if chosen.way})
        chosen = f" (chosen by tvo compare --choose-rate {' or '.join(ways)})" if ways else ""
        yield f"Each arm at its own best learning rate{chosen}."
        yield from (f"{one}." for found in blocks for one in rates_not_in_choice_in_words(found))
    yield _meaning_of_bold(blocks, columns, level)
    if "best" in columns:
        yield f"Best: {note_on_best_values(blocks[0])}; {end_of_noise(how)}, so optimistic."
    if {"area", "worst"} & columns.keys():
        yield "Over rates: the mean over the logarithm of the learning rate; worst rate: its mean."
    if "difference" in columns or "p" in columns:
        base = formatting.join_names(list(dict.fromkeys(found.baseline.title for found in blocks)))
        star = f" {STAR}: separated at {level} (Holm)." if "difference" in columns else ""
        p = " p is Holm's." if "p" in columns else ""
        pairs = "paired by seed where two or more, and half of each arm's, are shared, else Welch"
        yield f"Against {base}: {pairs}.{star}{p}"
    yield from _runs_without_result(document)


def _meaning_of_bold(blocks: Sequence[BlockAnalysis], columns: Mapping[str, PaperColumn], level: str) -> str:
    tested = [column for column in columns.values() if column.values is not None]
    if not tested:
        return ""
    if any(best_arm_of_column(column, found) for column in tested for found in blocks):
        return f"Bold: the best mean, separated from every other arm at {level} (Holm over all pairs of arms)."
    return f"No mean is bold: none is separated from every other arm at {level} (Holm over all pairs of arms)."


def _runs_without_result(document: ReportDocument) -> Iterator[str]:
    """Yield the notes below a paper's table on what failed and unfinished runs count for."""
    trials = [trial for one in document.sections for arm in one.found.block.arms for trial in arm.trials]
    failed, waiting = (sum(trial.state == state for trial in trials) for state in (FAILED, UNFINISHED))
    counts = {"last": "with its last reading", "out": "in no mean"}
    if failed:
        as_what = counts.get(document.how.failed_as, f"as {document.how.failed_as}")
        yield f"{formatting.count_of(failed, 'run')} failed; a failed run counts {as_what}."
    if waiting:
        yield f"Provisional: {formatting.count_of(waiting, 'run')} not finished."
