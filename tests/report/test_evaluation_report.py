"""An evaluation as people and other tools read it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evaluation.conftest import GREEDY, ROWS, same
from tvo_cli.evaluation.suite_summary import summarise_suite
from tvo_cli.report import evaluation_report as report

SUITE = {"protocol": "boxed", "protocol_hash": "abc", "graded": True}


@pytest.fixture
def summary() -> dict[str, Any]:
    found: dict[str, Any] = SUITE | summarise_suite(ROWS + GREEDY, (1, 2, 4), same, 0.95)
    found["support"] = {**{"kept": 1, "gained": 2, "lost": 0, "neither": 1}, "SRR": 1.0, "NDR": 2 / 3, "SDS": 0.8}
    found["support"]["NSCR"] = float("nan")
    return {"model": "m", "engine": "tvo", "weights": "w", "seed": 1, "suites": {"s": found}}


def test_one_row_a_suite(summary: dict[str, Any]) -> None:
    (row,) = report.suite_rows(summary)
    assert dict(zip(report.HEADINGS, row, strict=True)) == {
        **{"suite": "s", "protocol": "boxed", "problems": "4", "avg@k": "@4 37.5% [5.9, 85.2]"},
        **{"pass@k": "@2 58.3  @4 75.0", "maj@k": "@4 37.5% [5.0, 87.3]", "greedy": "50.0% [15.0, 85.0]"},
        **{"tokens": "25", "cut off": "31.2%", "no answer": "31.2%", "time": "10s", "tokens/s": "44"},
    }


def test_the_page_for_a_paper(summary: dict[str, Any]) -> None:
    page = report.evaluation_markdown(summary)
    assert "| suite | protocol | problems | avg@k |" in page
    assert "## s: by level" in page
    assert "| gained | 2 |" in page
    assert "| NSCR | – |" in page
    assert page.endswith("95% intervals, clustered by problem. Seed 1; weights w; protocols s abc.\n")


def test_the_harness_layout(summary: dict[str, Any]) -> None:
    found = report.harness_results(summary, {"torch": "2"})
    assert found["results"]["s"]["avg@4,none"] == 0.375
    assert found["results"]["s"]["avg@4_stderr,none"] == pytest.approx(0.161374, abs=1e-6)
    assert found["results"]["s"]["exact_match,none"] == 0.5
    assert set(found) == {"results", "configs", "n-samples", "config", "versions"}
    assert report.evaluation_metrics(summary)["s/pass@2"] == pytest.approx(0.58333, abs=1e-5)


def test_predictions_alone_have_no_scores(summary: dict[str, Any]) -> None:
    bare = SUITE | {"graded": False, "problems": 4, "length": 1.0, "truncated": 0.0, "seconds": 1.0}
    summary["suites"] = {"s": bare | {"tokens_per_second": 1.0, "unanswered": 1.0}}
    assert report.suite_rows(summary)[0][3] == "not graded"
    assert report.harness_results(summary, {})["results"] == {}
    assert "not graded" in report.evaluation_markdown(summary)


def test_strategies_and_what_choosing_them_took_are_two_tables(summary: dict[str, Any]) -> None:
    probe: dict[str, Any] = {"probe_tokens": 1052, "labelled": 8, "label_tokens": 1120, "label_prompt_tokens": 104}
    probe |= {"easy": {"problems": 3, "avg": 1 / 12, "tokens": 8.94}, "hard": {"problems": 1, "avg": None, "tokens": 2}}
    summary["suites"]["s"]["probe"] = probe
    tables = {title: (headings, rows) for title, headings, rows in report.detail_tables(summary)}
    assert tables["s: strategies"] == (
        ("strategy", "problems", "right", "tokens a response"),
        [["easy", "3", "8.3%", "8.9"], ["hard", "1", "–", "2.0"]],
    )
    headings, rows = tables["s: what the choice of strategies took"]
    assert headings == ("figure", "value") and [row[1] for row in rows] == ["1,052", "8", "1,120", "104"]
