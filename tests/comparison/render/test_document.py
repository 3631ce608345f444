"""The report's formats from the committed runs: snapshots, determinism, one file that needs nothing else.

python -m tests.comparison.render.test_document      writes the snapshots anew
"""

from __future__ import annotations

import json
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.comparison.conftest import RUNS, column, made, table, write_run
from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.render import (
    figures,
    report_files,
    report_html,
    report_json,
    report_latex,
    report_markdown,
    report_terminal,
    training_curves,
)
from tvo_cli.comparison.render.document import ReportDocument
from tvo_cli.comparison.render.figures import pages_of_arms
from tvo_cli.comparison.render.training_curves import TrainingCurve
from tvo_cli.runs.trial import Trial

if TYPE_CHECKING:
    from tvo_cli.comparison.render.document import ReportSection

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
FORMS = {
    "report.md": report_markdown.report_as_markdown,
    "comparison.json": report_json.report_as_json,
    "tables.tex": report_latex.report_as_latex,
    "report.txt": report_terminal.report_on_terminal,
}

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


@pytest.mark.parametrize("name", FORMS)
def test_the_report_is_the_one_that_was_looked_at(document: ReportDocument, name: str) -> None:
    said, looked_at = FORMS[name](document), (SNAPSHOTS / name).read_text(encoding="utf-8")
    assert NUMBER.sub("#", said) == NUMBER.sub("#", looked_at)
    found, wanted = ([float(number) for number in NUMBER.findall(text)] for text in (said, looked_at))
    assert found == pytest.approx(wanted, rel=1e-6), "the last digits depend on the release of scipy"


@pytest.mark.slow
def test_the_same_runs_are_the_same_bytes(document: ReportDocument, tmp_path: Path) -> None:
    for place in ("a", "b"):
        report_files.write_report_folder(document if place == "a" else made(RUNS), tmp_path / place)
    first = {path.relative_to(tmp_path / "a"): path.read_bytes() for path in (tmp_path / "a").rglob("*.*")}
    second = {path.relative_to(tmp_path / "b"): path.read_bytes() for path in (tmp_path / "b").rglob("*.*")}
    assert first == second
    names = {path.stem for path in first if path.parent.name == "figures"}
    assert names == {"learning", "entropy", "variance", "rates", "learning-by-rate", "survival", "law"}
    assert {path.suffix for path in first if path.parent.name == "figures"} == {".svg", ".png"}


@pytest.mark.slow
def test_many_arms_are_pages_of_figures_the_baseline_on_each(tmp_path: Path) -> None:
    for number in range(12):
        for seed in range(2):
            write_run(tmp_path, f"m{number:02}" if number else "grpo", seed, 0.3 + number / 20)
    [section] = made(tmp_path).sections
    cut = pages_of_arms(section.found, 8)
    shown = [[arm.label for arm in page.block.arms] for page in cut]
    assert shown == [["grpo", "m11", "m10", "m09", "m08", "m07"], ["grpo", "m06", "m05", "m04", "m03", "m02", "m01"]]
    assert [list(page.chosen) for page in cut] == shown and pages_of_arms(section.found, 12) == [section.found]
    names = [figure.name for figure in figures.all_figures(made(tmp_path))]
    assert len(names) == len(set(names)) and {"learning-1", "learning-2"} <= set(names)


@pytest.mark.slow
def test_a_law_that_ends_far_below_its_panel_leaves_the_panel_its_room(tmp_path: Path) -> None:
    """R rises by 0.8 from H = 2.0 to 2.1: the law ends at R(0) = 0.1 − 0.8(e² − 1)/(e^2.1 − e²) = −6.5."""
    for algorithm in ("tvo", "grpo", "ppo"):
        for seed in range(2):
            folder = write_run(tmp_path, algorithm, seed, 0.5)
            rows = [
                {"step": i, "accuracy/fresh": 0.1 + 0.2 * i, "policy/entropy": 2.0 + 0.025 * i, "rollouts": i}
                for i in range(5)
            ]
            (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = {one.name: one for one in figures.all_figures(made(tmp_path))}
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawn["law"].svg)[1])  # type: ignore[index]
    places = [float(y) for y in re.findall(r'y="([-\d.]+)"[^>]*>entropy H', drawn["law"].svg)]
    assert len(places) == 3 and all(0 < y < height for y in places)


@pytest.mark.slow
def test_the_report_links_figures_that_are_there(written: Path) -> None:
    links = re.findall(r"\]\((figures/[^)]+)\)", (written / "report.md").read_text(encoding="utf-8"))
    assert len(links) == 7 and all((written / link).suffix == ".svg" and (written / link).is_file() for link in links)


class Page(HTMLParser):
    """Ids, links to them, tags, and headings of tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            self.ids += [value or ""] if name == "id" else []
            self.links |= {value[1:]} if name == "href" and value and value.startswith("#") else set()
            self.links |= set(re.findall(r"url\(#([^)]+)\)", value or ""))


def test_the_page_needs_nothing_else(document: ReportDocument, written: Path) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "") and "<script src" not in text and "<!DOCTYPE svg" not in text
    page = Page(text)
    assert len(page.ids) == len(set(page.ids)) and page.links <= set(page.ids)
    assert page.tags.count("svg") == 7 and page.tags.count("table") == len(document.sections[0].tables)
    assert "prefers-color-scheme:dark" in text and "var(--blue)" in text and "#0072b2" not in text.split("<body>")[1]


def test_a_heading_shows_an_arrow_and_no_code_of_one() -> None:
    """Generated content as a browser computes it: CSS reads `\\2195` as one character, `\\\\2195` as five."""
    style = (report_html.HERE / "page.css").read_text(encoding="utf-8")
    escape = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))")
    contents = re.findall(r'content:"((?:[^"\\]|\\.)*)"', style)
    shown = [escape.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], one) for one in contents]
    assert shown == ["\xa0↕", "\xa0↑", "\xa0↓", ""]


def test_names_are_no_code(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path, "a<script>alert(1)</script>|b_c", seed, 0.5, name=f"x{seed}")
        write_run(tmp_path, "grpo", seed, 0.4)
    made_of = made(tmp_path)
    assert "<script>alert" not in report_html.report_as_html(made_of, figures.figures_as_svg(made_of))
    assert r"\<script>" in report_markdown.report_as_markdown(
        made_of
    ) and r"\|b\_c" in report_markdown.report_as_markdown(made_of)
    assert r"b\_c" in report_latex.report_as_latex(made_of)


def test_json_is_strict_and_has_the_numbers(document: ReportDocument) -> None:
    found = json.loads(report_json.report_as_json(document), parse_constant=lambda word: pytest.fail(word))
    [section] = found["sections"]
    verdict = next(one for one in section["verdicts"] if one["a"] == "tvo" and one["rate"] == "own")
    assert verdict["paired"] and verdict["n"] == 3 and verdict["low"] < verdict["difference"] < verdict["high"]
    assert section["tables"]["aggregates"]["rows"][0]["interquartile mean"]["not shown"].startswith(
        "interquartile mean needs"
    )


def test_collapse_gradients_efficiency_and_law_say_what_the_runs_hold(document: ReportDocument) -> None:
    collapse = {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in table(document, "collapse").rows}
    assert collapse["grpo", "1e-3"][:2] == ["3", "3"] and collapse["tvo", "3e-4"][3] == "not reached"
    assert collapse["grpo", "all"][0] == "3" and collapse["tvo", "all"][0] == "1"
    gradients = table(document, "gradients")
    assert column(gradients, "variance, ratio to grpo")[0] == "1 (baseline)"
    reached = column(table(document, "efficiency"), "70%: reached")
    assert "3 of 3" in reached and "0 of 3" in reached
    assert column(table(document, "cost"), "tokens")[0].startswith("53,")


def test_matched_steps_are_those_of_both_runs(tmp_path: Path) -> None:
    for seed in range(2):
        for name, factor in (("tvo", 2.0), ("grpo", 8.0)):
            folder = write_run(tmp_path, name, seed, 0.5 + seed / 10, curve=(0.1, 0.2, 0.3, 0.4))
            rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            for row in rows[:4]:
                row["gradient/variance"] = factor * 10.0 ** row["step"]
            del rows[3 if name == "tvo" else 0]["gradient/variance"]
            rows[1]["gradient/variance"] = 0.0 if name == "tvo" else 5.0
            (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    row = table(made(tmp_path), "gradients").rows[1]
    # step 1 only tvo's, step 2 zero, step 4 only grpo's: step 3 is left, 2·10³ against 8·10³
    [seen] = [cell.value for cell in row if isinstance(cell.value, dict) and "left out" in cell.value]
    assert seen["mean"] == pytest.approx(0.25, rel=1e-12) and (seen["steps"], seen["left out"]) == (2, 2)


def test_noise_over_signal_is_a_ratio_of_sums(tmp_path: Path) -> None:
    signals = {"tvo": (4.0, -1.0, 1.0, 1.0), "grpo": (1.0, -0.5, 0.25, 0.25)}
    for seed in range(2):
        for name, signal in signals.items():
            folder = write_run(tmp_path, name, seed, 0.5 + seed / 10)
            rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            for row, value in zip(rows, signal, strict=False):
                row |= {"gradient/variance": 10.0, "gradient/signal": value}
            (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = table(made(tmp_path), "gradients")
    # 40/5 = 8 against 40/1 = 40
    assert column(found, "noise over signal, ratio to grpo")[1].startswith("0.2")
    assert found.rows[1][2].value["mean"] == pytest.approx(0.2, rel=1e-12)


def test_the_mean_curve_ends_with_the_shortest_seed() -> None:
    long, short = (
        TrainingCurve([0, 1, 2, 3], [0.0, 1.0, 2.0, 3.0], "finished"),
        TrainingCurve([0, 1, 2], [2.0, 3.0, 4.0], "finished"),
    )
    xs, low, middle, high = training_curves.band_of_curves([long, short])
    assert xs == [0, 1, 2] and middle == [1.0, 2.0, 3.0]
    # two values 2 apart: sd √2, reach 12.706 · √2/√2
    assert high[0] == pytest.approx(13.7062, abs=1e-4) and low[0] == pytest.approx(-11.7062, abs=1e-4)
    assert training_curves.band_of_curves([long, short], share=True)[3] == [
        1.0,
        1.0,
        1.0,
    ] and training_curves.band_of_curves([]) == (
        [],
        [],
        [],
        [],
    )


def test_curves_at_other_places_are_read_between() -> None:
    xs, _, middle, _ = training_curves.band_of_curves(
        [TrainingCurve([0, 10], [0.0, 10.0], "finished"), TrainingCurve([5, 15], [0.0, 10.0], "finished")]
    )
    assert (xs[0], xs[-1]) == (5, 10) and middle[0] == pytest.approx(2.5) and middle[-1] == pytest.approx(7.5)


def test_logs_are_averaged_where_things_scatter_by_factors() -> None:
    _, _, middle, _ = training_curves.band_of_curves(
        [TrainingCurve([1], [1.0], "finished"), TrainingCurve([1], [100.0], "finished")], log=True
    )
    assert middle == pytest.approx([10.0])


@pytest.mark.parametrize(("x", "last"), [("steps", 30), ("samples", 3840), ("tokens", 53770), ("hours", None)])
def test_axes(document: ReportDocument, x: str, last: float | None) -> None:
    trial = next(
        trial for cell in document.sections[0].found.cells for trial in cell.trials if trial.name == "tvo-0.001-s2"
    )
    curve = training_curves.read_training_curve(trial, "accuracy/fresh", x)
    assert curve.xs[-1] == pytest.approx(last, rel=1e-3) if last else 0 < curve.xs[-1] < 1


def test_the_final_of_a_step_metric_is_the_mean_of_the_last_five(arms: Path) -> None:
    write_run(arms, "tvo", 9, 0.9, curve=(0.9, 0.1, 0.2, 0.3, 0.4, 0.5, "nan"), settings={"trainer.steps": 7})
    trial: Trial = next(
        trial for cell in made(arms, metric="accuracy/fresh").sections for trial in _all(cell) if trial.seed == "9"
    )
    assert run_values.final_value(trial, MetricChoice("accuracy/fresh")) == pytest.approx(0.3)
    assert run_values.best_value(trial, MetricChoice("accuracy/fresh")) == pytest.approx(0.38)  # 0.9 0.1 0.2 0.3 0.4


def _all(section: ReportSection) -> list[Trial]:
    return [trial for cell in section.found.cells for trial in cell.trials]


@pytest.mark.slow
def test_too_few_runs_are_greyed_out_and_enough_are_not(tmp_path: Path) -> None:
    for seed in range(10):
        write_run(tmp_path, "tvo", seed, 0.8 + seed / 100)
        write_run(tmp_path, "grpo", seed, 0.7 + seed / 100)
    found = table(made(tmp_path), "aggregates")
    # the middle six of 80 … 89: 82 to 87
    assert column(found, "interquartile mean")[1].startswith("84.5 ")
    assert column(found, "better than grpo (%)")[1].startswith("100.0 [")
    assert "profiles" in {figure.name for figure in figures.all_figures(made(tmp_path))}


if __name__ == "__main__":
    SNAPSHOTS.mkdir(exist_ok=True)
    for name, form in FORMS.items():
        (SNAPSHOTS / name).write_text(form(made(RUNS)), encoding="utf-8")
