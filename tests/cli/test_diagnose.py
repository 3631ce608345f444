"""`tvo diagnose`: formats, exit codes, bad input, speed, and that what a log says is never obeyed."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from benchmarks.diagnosis.simulated import simulated_rows
from tests.browser import BROWSER, browse, console
from tests.processor_time import loops
from tvo_cli.cli.main import main

FALLS = [0.45] * 10 + [0.05] * 12
HOSTILE = "<script>alert(1)<script>\x1b[31m"


def trl(folder: Path, rewards: list[float], **columns: float) -> Path:
    """A trainer_state.json of TRL with one reward function that judges answers."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"step": step, "reward": value, "rewards/accuracy_reward/mean": value, "learning_rate": 9e-6, **columns}
        for step, value in enumerate(rewards, start=1)
    ]
    path = folder / "trainer_state.json"
    path.write_text(json.dumps({"max_steps": 40, "log_history": rows}))
    return path


def plain(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_worst_is_first_with_what_to_change_in_the_trainers_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", str(trl(tmp_path / "mine", FALLS, entropy=0.5))]) == 0
    said = capsys.readouterr().out
    assert said.startswith("mine (TRL, 22 of 40 steps): critical\n\naccuracy_collapse · critical · since step 11")
    assert "learning_rate=3e-06" in said and "Not looked for: " in said and "optimizer.lr" not in said
    assert len(said.splitlines()) < 40


def test_json_has_these_keys_and_no_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", str(trl(tmp_path / "mine", FALLS)), "--format", "json"]) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert set(told) == {"verdict", "findings"} and told["verdict"] == "critical"
    assert set(told["findings"][0]) == {"failure", "severity", "first_step", "evidence", "cost", "remedies"}
    assert told["findings"][0]["cost"]["steps"] == 12 and "Not looked for" in printed.err


def test_several_runs_are_a_table_and_the_worst_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trl(tmp_path / "bad", FALLS)
    trl(tmp_path / "good", [0.1 + 0.02 * step for step in range(22)])
    assert main(["diagnose", str(tmp_path), "--fail-on", "critical"]) == 3
    said = capsys.readouterr().out
    assert "good  healthy" in said and "\nbad (TRL, 22 of 40 steps): critical" in said
    assert main(["diagnose", str(tmp_path), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "critical" and {run["run"] for run in told["runs"]} == {"bad", "good"}


@pytest.mark.parametrize(("bad", "good"), [(0, 2), (0, 21), (2, 21), pytest.param(22, 21, marks=pytest.mark.slow)])
def test_healthy_runs_take_one_screen(tmp_path: Path, bad: int, good: int, capsys: pytest.CaptureFixture[str]) -> None:
    for at in range(good):
        trl(tmp_path / f"good{at}", [0.1 + 0.05 * step for step in range(6)])
    for at in range(bad):
        trl(tmp_path / f"worse{at}", FALLS)
    assert main(["diagnose", str(tmp_path), "--fail-on", "warning"]) == 3 * bool(bad)
    said = capsys.readouterr().out
    assert len(said.splitlines()) < 50 and ("\naccuracy_collapse" in said) == bool(bad)
    assert ("21 of " in said) == (good == 21) and said.count(" healthy\n") == (good if good == 2 else 0)
    assert ("2 more that are not are left out" in said) == (bad == 22)
    assert sum(line.startswith("worse") and "critical  " in line for line in said.splitlines()) == min(bad, 20)
    assert not bad or (said.splitlines()[1].startswith("worse0") and "critical" in said.splitlines()[1])


def test_a_run_of_ours_is_headed_by_the_command_that_made_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ({"step": step, "reward/mean": 0.5, "accuracy/fresh": 0.5} for step in range(1, 5))
    (tmp_path / "grpo").mkdir()
    (tmp_path / "grpo" / "config.yaml").write_text("algorithm: {name: grpo}\n")
    (tmp_path / "grpo" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["diagnose", str(tmp_path / "grpo")]) == 0
    assert capsys.readouterr().out.startswith("grpo (tvo train, 4 steps): ")


@pytest.mark.parametrize(("level", "code"), [("warning", 3), ("critical", 0)])
def test_the_exit_code_follows_the_severity(tmp_path: Path, level: str, code: int) -> None:
    log = plain(tmp_path / "log.jsonl", [{"step": s, "policy/tv": 0.2, "reward/mean": 0.5} for s in range(1, 9)])
    assert main(["diagnose", str(log), "--fail-on", level]) == code


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no step was logged there"),
        ([{"loss": 1.0}], "no step was logged there"),
        ([{"step": 1, "reward/mean": 0.4}], "1 step): unknown"),
        ([{"step": 1, "reward/mean": 0.4}], "1 step only: no trend can be told"),
        (
            [{"step": s, "accuracy_fresh": 0.5} for s in range(9)],
            "accuracy_fresh is not known; nearest: accuracy/",
        ),
    ],
)
def test_bad_input_is_one_clear_line(
    tmp_path: Path, rows: list[dict[str, Any]], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["diagnose", str(plain(tmp_path / "log.jsonl", rows))])
    printed = capsys.readouterr()
    assert code == (2 if "no step" in said else 0) and said in printed.out + printed.err


@pytest.mark.parametrize("words", [["--format", "pdf"], ["--fail-on", "bad"]])
def test_a_choice_that_is_none_is_refused(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", str(tmp_path), *words]) == 2
    assert f"{words[0]}={words[1]}: not a choice" in capsys.readouterr().err


class Tags(HTMLParser):
    """The tags of a page, and the texts in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Remember a tag."""
        self.tags.append(tag)


@pytest.mark.parametrize("form", ["table", "markdown", "html"])
def test_what_a_log_says_is_never_obeyed(tmp_path: Path, form: str) -> None:
    terms = [(f"reward/{HOSTILE}", -1.0), ("reward/x", 3.0), ("reward/mean", 2.0)]
    rows = [{"step": s, **{name: 1.0 + slope * s / 30 for name, slope in terms}} for s in range(30)]
    log = plain(tmp_path / "<img src=x onerror=1>.jsonl", rows)
    assert main(["diagnose", str(log), "--format", form, "--out", str(tmp_path / "out")]) == 0
    written = (tmp_path / "out").read_text()
    assert "reward_composition" in written.replace("\\_", "_") and "\x1b" not in written
    if form == "html":
        assert not {"script", "img"} & set(Tags(written).tags) and "default-src 'none'" in written


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="no browser here")
def test_the_page_shows_its_curves(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert main(["diagnose", str(trl(tmp_path / "mine", FALLS)), "--format", "html", "--out", str(page)]) == 0
    done = browse(page.as_uri(), "--dump-dom")
    assert console(done) == [] and done.stdout.count("<polyline") >= 2 and "since step 11" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("lost_from", [10_000, 1000])  # a run that has collapsed is the one that is looked at
def test_ten_thousand_steps_take_less_than_two_seconds(tmp_path: Path, lost_from: int) -> None:
    lost = {"reward/mean": 0.1, "accuracy/fresh": 0.1, "policy/entropy": 0.01, "response/length": 900.0}
    rows = simulated_rows("learns", 10_000, 1)
    log = plain(tmp_path / "log.jsonl", [{**row, **lost} if row["step"] > lost_from else row for row in rows])
    assert loops(lambda: main(["diagnose", str(log)]), tries=2) < 400  # of 2.7 ms: 1.1 s


@pytest.mark.slow
def test_it_needs_no_torch(tmp_path: Path) -> None:
    words = ["diagnose", str(trl(tmp_path / "mine", FALLS))]
    code = f"import sys; from tvo_cli.cli.main import main; main({words!r}); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"
