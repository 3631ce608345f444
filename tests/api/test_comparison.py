"""Runs compared from Python: the verdicts, tables and errors of `tvo compare`."""

from __future__ import annotations

from pathlib import Path

import pytest

import tvo_cli as tvo
from tests.comparison.conftest import write_run
from tvo_cli.api.comparison import _frame_columns_of_cell
from tvo_cli.comparison.render import figures
from tvo_cli.comparison.render.table_cells import interval_cell
from tvo_cli.stats.confidence_interval import ConfidenceInterval


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TVO at 0.80 0.90 0.85 against GRPO at 0.70 0.75 0.80: differences 10, 15 and 5 points."""
    root = tmp_path_factory.mktemp("runs")
    for algorithm, finals in (("tvo", (0.80, 0.90, 0.85)), ("grpo", (0.70, 0.75, 0.80))):
        for seed, final in enumerate(finals):
            write_run(root, algorithm, seed, final)
    return root


@pytest.fixture(scope="module")
def comparison(runs: Path) -> tvo.Comparison:
    return tvo.compare([tvo.load(folder) for folder in sorted(runs.iterdir())])


def test_a_verdict_has_its_sentence_and_its_numbers(comparison: tvo.Comparison) -> None:
    [found] = comparison.verdicts
    assert (found.a, found.b, found.rate, found.separated) == ("tvo", "grpo", None, False)
    assert found.difference == pytest.approx(0.10)
    assert found.high - found.low == pytest.approx(2 * 4.302653 * 0.05 / 3**0.5, rel=1e-5)  # t of 2 degrees at 97.5%
    assert found.sentence.startswith("TVO − GRPO = +10.0 points") and found.sentence in comparison._repr_markdown_()


def test_a_frame_has_numbers_and_an_interval_in_three_columns(comparison: tvo.Comparison) -> None:
    arms = comparison.to_dataframe().set_index("arm")
    assert list(arms["final"]) == pytest.approx([0.75, 0.85]) and list(arms["runs"]) == [3, 3]
    assert list(arms["final high"] - arms["final"]) == pytest.approx([4.302653 * 0.05 / 3**0.5] * 2, rel=1e-5)
    assert "comparisons" in comparison.tables and len(comparison.to_dataframe("comparisons")) == 1


def test_the_frame_has_the_ends_that_the_table_shows() -> None:
    below, above = (
        interval_cell(ConfidenceInterval(mean, mean - 0.13, mean + 0.13, 3), share=True) for mean in (0.05, 1)
    )
    assert below.text == "5.0 [0.0, 18.0]" and _frame_columns_of_cell("final (%)", below)["final low"] == 0.0
    assert above.text == "100.0 [87.0, 100.0]" and _frame_columns_of_cell("final (%)", above)["final high"] == 1.0
    loss = interval_cell(ConfidenceInterval(0.05, -0.08, 0.18, 3))
    assert _frame_columns_of_cell("loss", loss)["loss low"] == -0.08, "no share, no bound"


def test_a_path_and_its_runs_are_compared_alike(comparison: tvo.Comparison, runs: Path) -> None:
    assert str(tvo.compare(runs)) == str(comparison) == str(tvo.compare([str(runs)], by=["algorithm"]))


def test_columns_of_a_paper_may_be_one_text(
    comparison: tvo.Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "figures_as_pdf", lambda document: [])
    comparison.write_paper(tmp_path / "text", "seeds, final")
    comparison.write_paper(tmp_path / "list", ["seeds", "final"])
    assert (tmp_path / "text" / "table.tex").read_text() == (tmp_path / "list" / "table.tex").read_text()


@pytest.mark.parametrize("by", [[], "", " , ", [""]])
def test_no_name_of_an_arm_is_one_line(runs: Path, by: str | list[str]) -> None:
    with pytest.raises(tvo.UserError, match=r"^by=.*: names no setting\. For example algorithm\.$"):
        tvo.compare(runs, by=by)


def test_errors_name_the_keywords(runs: Path, comparison: tvo.Comparison, tmp_path: Path) -> None:
    for words, said in (
        ({"baseline": "rloo"}, "baseline=rloo: there is no such arm."),
        ({"choose_rate": "best"}, "choose_rate=best: not a choice."),
        ({"direction": "up"}, "direction=up: not a choice."),
        ({"x": "years"}, "x=years: not a choice."),
    ):
        with pytest.raises(tvo.UserError) as refused:
            tvo.compare(runs, **words)  # type: ignore[arg-type]
        assert str(refused.value).startswith(said)
    with pytest.raises(tvo.UserError, match=r"^table=arm: there is no such table\. Tables: arms, "):
        comparison.to_dataframe("arm")
    with pytest.raises(tvo.UserError, match=r"^columns=finals: there is no such column\."):
        comparison.write_paper(tmp_path, ["finals"])
