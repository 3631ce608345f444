"""The folder for a paper: figures as PDF at the width of a column, and a main.tex that compiles."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import matplotlib
import pytest

from tests.comparison.conftest import made, write_run
from tvo_cli.comparison.render import figures, paper_files, plot_style
from tvo_cli.comparison.render.document import ReportDocument
from tvo_cli.comparison.render.paper_columns import DEFAULT_COLUMNS
from tvo_cli.comparison.render.plot_style import PAPER_STYLE, PLOT_STYLE

LATEX = shutil.which("pdflatex") or shutil.which("tectonic")
HOSTILE = r"gr_po % 100$ \end {x} ₂ ü 中"


def test_panels_and_legends_fit_the_width() -> None:
    for style, panels, short, long in ((PLOT_STYLE, 3, 7, 2), (PAPER_STYLE, 1, 3, 1)):
        with matplotlib.rc_context(style):
            assert plot_style.panels_side_by_side(5) == panels
            for label, entries in (("GRPO", short), ("GRPO (algorithm.objective.clip=0.2)", long)):
                assert int(plot_style.plot_width() / plot_style.legend_entry_width([label])) == entries


@pytest.mark.slow
@pytest.mark.filterwarnings("error:constrained_layout")
def test_every_figure_is_a_column_wide_vector_graphic_with_embedded_truetype(document: ReportDocument) -> None:
    drawn = figures.figures_as_pdf(document)
    assert len(drawn) >= 6
    for one in drawn:
        [box] = re.findall(rb"/MediaBox \[([^\]]*)\]", one.pdf)
        left, low, right, high = map(float, box.split())
        assert (right - left, low) == (3.25 * 72, 0) and high < 9 * 72, one.name
        assert b"/Type3" not in one.pdf and b"/FontFile2" in one.pdf and b"/Subtype /Image" not in one.pdf
        assert one.svg == "" and one.png == b""
    assert [one.pdf for one in figures.figures_as_pdf(document)] == [one.pdf for one in drawn]


def compiled(folder: Path) -> str:
    """What LaTeX said; it must not fail."""
    assert LATEX is not None
    words = [LATEX, "-interaction=nonstopmode", "-halt-on-error"] if "pdflatex" in LATEX else [LATEX, "--keep-logs"]
    for _ in range(2):
        done = subprocess.run([*words, "main.tex"], cwd=folder, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
    return (folder / "main.log").read_text(errors="replace")


@pytest.mark.slow
@pytest.mark.skipif(LATEX is None, reason="needs pdflatex or tectonic")
def test_the_paper_compiles_without_an_overfull_box(document: ReportDocument, tmp_path: Path) -> None:
    columns = ("rate", "seeds", "final", "best", "difference", "p", "collapsed", "area", "worst")
    for place, names in (("usual", DEFAULT_COLUMNS), ("wide", columns)):
        paper_files.write_paper_folder(document, tmp_path / place, names)
        log = compiled(tmp_path / place)
        assert "undefined" not in log and "Overfull" not in log, place
        assert (tmp_path / place / "main.pdf").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.skipif(LATEX is None, reason="needs pdflatex or tectonic")
def test_names_that_mean_something_to_latex_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    for arm in ("grpo", HOSTILE):
        for seed in (0, 1):
            write_run(tmp_path / "runs", arm, seed, 0.5, name=f"{len(arm)}-{seed}")
    columns = ("final", "best", "p", "hours", "tokens", "collapsed")
    paper_files.write_paper_folder(made(tmp_path / "runs"), tmp_path / "paper", columns)
    compiled(tmp_path / "paper")
    table = (tmp_path / "paper" / "table.tex").read_text()
    assert table.count(r"\end{tabular}") == 1 and table.isascii()


def test_a_main_file_of_your_own_stays(
    document: ReportDocument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "figures_as_pdf", lambda _: [])
    assert not paper_files.write_paper_folder(document, tmp_path)
    assert not paper_files.write_paper_folder(document, tmp_path), "ours is written again"
    (tmp_path / "main.tex").write_text("my paper", encoding="utf-8")
    (tmp_path / "table.tex").write_text("old", encoding="utf-8")
    assert paper_files.write_paper_folder(document, tmp_path)
    assert (tmp_path / "main.tex").read_text(encoding="utf-8") == "my paper"
    assert (tmp_path / "table.tex").read_text(encoding="utf-8") != "old"
