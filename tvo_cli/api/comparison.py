"""Comparison from Python: the same verdicts, tables and report as `tvo compare` in a shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli.api.python_errors import options_named_as_keywords, user_errors_raised
from tvo_cli.api.run import Run
from tvo_cli.comparison.analysis.rate_choice import CORRECTED
from tvo_cli.comparison.render.document import (
    DocumentRequest,
    DocumentVerdict,
    ReportDocument,
    ReportSection,
    compare_into_document,
    verdict_groups,
)
from tvo_cli.comparison.render.paper_columns import DEFAULT_COLUMNS
from tvo_cli.comparison.render.table_cells import TableCell
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ComparisonVerdict:
    """A verdict: arm a less arm b, over seeds. Differences of shares are shares: 0.02 is two points."""

    sentence: str
    a: str
    b: str
    rate: float | None  # the learning rate of both; None: each at its own
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    separated: bool
    seeds_needed: int | None
    beside: tuple[str, ...]  # what must stand beside the sentence
    block: str  # the settings of the runs, where there are several blocks


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """A comparison of runs: verdicts first, then tables, then the report."""

    _document: ReportDocument

    @property
    def title(self) -> str:
        """What was compared by what."""
        return self._document.title

    @property
    def verdicts(self) -> list[ComparisonVerdict]:
        """Every verdict: each arm against the baseline at its own rate, then at each shared one."""
        sections = self._document.sections
        return [
            _verdict_from_document(one, section)
            for section in sections
            for _, group in verdict_groups(section)
            for one in group
        ]

    @property
    def warnings(self) -> list[str]:
        """What weakens the verdicts, and what was left out."""
        return [*(one for section in self._document.sections for one in section.warnings), *self._document.notes]

    @property
    def tables(self) -> list[str]:
        """The names of the tables that `to_dataframe` knows."""
        return list(dict.fromkeys(table.name for section in self._document.sections for table in section.tables))

    def to_dataframe(self, table: str = "arms") -> pd.DataFrame:
        """Return a table of the report with numbers for cells; an interval is three columns: NAME, NAME low, NAME high.

        Raises:
            UserError: there is no such table.
        """
        import pandas as pd

        if table not in self.tables:
            raise UserError("table", table, "there is no such table.", f"Tables: {', '.join(self.tables)}.")
        return pd.DataFrame(
            [row for section in self._document.sections for row in _frame_rows_of_table(section, table)]
        )

    def write(self, folder: str | Path) -> Path:
        """Write report.html, report.md, tables.tex, comparison.json and figures/; return the folder."""
        from tvo_cli.comparison.render.report_files import write_report_folder

        write_report_folder(self._document, Path(folder))
        return Path(folder)

    def write_paper(self, folder: str | Path, columns: str | Sequence[str] = DEFAULT_COLUMNS) -> Path:
        """Write table.tex, figures as PDF and a main.tex that compiles, as `tvo compare --paper` does.

        columns: names, or one text of them with commas.
        """
        from tvo_cli.comparison.render.paper_files import write_paper_folder

        with options_named_as_keywords():
            write_paper_folder(self._document, Path(folder), _names_of(columns))
        return Path(folder)

    def __repr__(self) -> str:
        return f"Comparison({self.title!r}: {len(self.verdicts)} verdicts)"

    def __str__(self) -> str:
        from tvo_cli.comparison.render.report_terminal import report_on_terminal

        return report_on_terminal(self._document)

    def _repr_markdown_(self) -> str:
        """What a notebook shows: the verdicts."""
        from tvo_cli.escaping import markdown

        return "\n".join(f"- {markdown(one.sentence)}" for one in self.verdicts) or markdown(self.title)


def compare(
    runs: Sequence[str | Path | Run] | str | Path | Run,
    *,
    baseline: str | None = None,
    by: str | Sequence[str] = "algorithm",
    metric: str | None = None,
    direction: str = "auto",
    choose_rate: str = CORRECTED,
    failed: str = "auto",
    confidence: float = 0.95,
    mapping: str | Path | None = None,
    force: bool = False,
    x: str = "samples",
) -> Comparison:
    """Compare runs, as `tvo compare` does: what differs, by how much, how sure.

    runs: runs, run folders, folders of them, or other tools' logs. The keywords are the command's options.

    Raises:
        UserError: the runs cannot be compared; the text says why.
    """
    given = [runs] if isinstance(runs, str | Path | Run) else list(runs)
    paths = [one.folder if isinstance(one, Run) else Path(one) for one in given]
    other = None if mapping is None else Path(mapping)
    with user_errors_raised(), options_named_as_keywords():
        request = DocumentRequest(
            _names_of(by), metric, baseline, choose_rate, failed, confidence, force, other, x, direction
        )
        return Comparison(compare_into_document(paths, request))


def _names_of(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names in a comparison's option: a list of them, or one text with commas."""
    words = given.split(",") if isinstance(given, str) else given
    return tuple(word.strip() for word in words if word.strip())


def _verdict_from_document(verdict: DocumentVerdict, section: ReportSection) -> ComparisonVerdict:
    one, said = verdict.contrast, verdict.contrast.over_seeds
    return ComparisonVerdict(
        sentence=verdict.sentence,
        a=one.a.arm,
        b=one.b.arm,
        rate=None if verdict in section.verdicts else one.a.rate,
        difference=said.difference,
        low=said.low,
        high=said.high,
        p=said.p,
        p_holm=one.adjusted,
        separated=one.separated,
        seeds_needed=one.needed,
        beside=verdict.beside,
        block=section.label,
    )


def _frame_rows_of_table(section: ReportSection, name: str) -> list[dict[str, Any]]:
    """Return the rows of a section's table, each with the section's label where there is one."""
    label = {"block": section.label} if section.label else {}
    rows = [(table.headings, row) for table in section.tables if table.name == name for row in table.rows]
    return [
        {**label, **{key: value for pair in zip(headings, row) for key, value in _frame_columns_of_cell(*pair).items()}}
        for headings, row in rows
    ]


def _frame_columns_of_cell(heading: str, cell: TableCell) -> Mapping[str, Any]:
    """Return the columns that a cell makes: its value, or the mean and the ends of an interval."""
    heading = heading.removesuffix(" (%)")  # the values are shares
    if isinstance(cell.value, dict) and {"mean", "low", "high"} <= cell.value.keys():
        ends = {f"{heading} {end}": cell.value[end] for end in ("low", "high")}
        return {heading: cell.value["mean"], **ends}
    return {heading: cell.value}
