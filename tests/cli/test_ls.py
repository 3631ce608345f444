"""`tvo ls`: states, the settings in which runs differ, and speed."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processor_time import plain_loop, seconds
from tvo_cli.cli.main import main
from tvo_cli.report.run_listing import INSIDE, run_folders
from tvo_cli.tracking import metrics_file, run_status
from tvo_cli.tracking.atomic_files import write_json_atomically, write_text_atomically

CONFIG = """seed: {seed}
algorithm: {{name: {algorithm}, surrogate: {algorithm}-surrogate}}
trainer: {{steps: 4}}
optimizer: {{lr: 0.001}}
output_dir: /somewhere/{seed}
logger: {{name: none-{seed}}}
"""


def make(root: Path, name: str, *, seed: int = 0, algorithm: str = "tvo", step: int = 2, **told: Any) -> Path:
    folder = root / name
    write_text_atomically(folder / "config.yaml", CONFIG.format(seed=seed, algorithm=algorithm))
    rows = [
        metrics_file.metrics_line(step, {"reward/mean": step / 8}),
        metrics_file.metrics_line(step, {"eval/pass@1": 0.5}),
    ]
    write_text_atomically(folder / "metrics.jsonl", "".join(rows))
    if told:
        write_json_atomically(folder / run_status.STATUS_FILE, {"command": "train", **told})
    return folder


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "outputs"
    me: dict[str, Any] = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "born": run_status._process_start_time(os.getpid()),
    }
    make(root, "sweep/a", seed=0, state="running", **me)
    make(root, "sweep/b", seed=1, state="running", **{**me, "pid": 2**22 + 1})
    make(root, "sweep/c", seed=2, algorithm="ppo", state="failed", reason="boom")
    make(root, "sweep/d", seed=3, algorithm="ppo", step=4, state="finished")
    collapse = {"verdict": "collapsed", "collapsed_at": 3}
    write_json_atomically(make(root, "sweep/e", seed=4, step=4, state="finished") / "collapse.json", collapse)
    make(root, "sweep/f", seed=5, state="interrupted", reason="interrupted; saved step 2")
    make(root, "sweep/g", seed=8, step=4, state="finished")
    write_json_atomically(root / "sweep/g/collapse.json", {"verdict": "stopped", "collapsed_at": 4})
    make(root, "old", seed=6)
    write_json_atomically(make(root, "older", seed=7, step=4) / "summary.json", {"steps": 4})
    monkeypatch.chdir(tmp_path)
    return root


def test_a_run_with_more_steps_than_its_resume_asked_for_is_not_listed_as_5_of_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, "further", step=5, state="finished")
    assert main(["ls", str(tmp_path)]) == 0
    assert "  5/5  " in capsys.readouterr().out


def listed(root: Path) -> list[str]:
    return sorted(str(folder.relative_to(root)) for folder in run_folders(root))


def test_a_run_in_a_folder_that_is_named_as_those_of_a_run_is_listed(tmp_path: Path) -> None:
    """Inside of a run `profile` holds traces; outside of one it is a name as any other."""
    for name in INSIDE:
        make(tmp_path, f"mine/{name}", state="finished")
        make(tmp_path, f"mine/run/{name}/left-alone", state="finished")
    make(tmp_path, "mine/run", state="finished")
    assert listed(tmp_path) == sorted(["mine/run", *(f"mine/{name}" for name in INSIDE)])


@pytest.mark.parametrize("place", ["tuned/resume/step-000015", "run/checkpoints-before-1130-120000/step-000002"])
def test_a_checkpoint_is_no_run_wherever_it_stands(tmp_path: Path, place: str) -> None:
    write_json_atomically(tmp_path / place / "state.json", {"step": 15})
    write_json_atomically(tmp_path / place / "manifest.json", {})
    write_json_atomically(tmp_path / Path(place).parts[0] / "state.json", {"state": "running", "command": "sft"})
    assert listed(tmp_path) == [Path(place).parts[0]]


def test_runs_behind_a_link_are_listed_once_and_a_link_that_leads_back_ends(tmp_path: Path) -> None:
    root, disk = tmp_path / "outputs", tmp_path / "disk"
    make(root, "z/run", state="finished")
    make(disk, "old/run", state="finished")
    (root / "a").symlink_to(root / "z")  # comes first, and the folder itself counts
    (root / "other").symlink_to(disk / "old")
    (disk / "old" / "loop").symlink_to(disk)
    (root / "z" / "back").symlink_to(tmp_path)
    (root / "gone").symlink_to(tmp_path / "nowhere")
    assert listed(root) == ["other/run", "z/run"]
    assert [str(one.relative_to(root)) for one in run_folders(root, links=False)] == ["z/run"]
    assert listed(root / "a") == ["run"]


def test_every_state_is_told(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "--format", "json"]) == 0
    found = {Path(run["run"]).name: run for run in json.loads(capsys.readouterr().out)}
    assert {name: run["state"] for name, run in found.items()} == {
        **{"a": "running", "b": "failed", "c": "failed", "d": "finished", "e": "collapsed", "f": "interrupted"},
        **{"g": "collapsed", "old": "interrupted", "older": "finished"},
    }
    assert (found["a"]["step"], found["a"]["steps"], found["a"]["reward"]) == (2, 4, 0.25)
    assert found["e"]["verdict"] == "collapsed at 3" and found["c"]["reason"] == "boom"
    assert found["b"]["reason"] == run_status.VANISHED
    assert found["c"]["differs"] == {"seed": 2, "algorithm.name": "ppo"}, (
        "names, folders, loggers and equal keys are not"
    )


def test_the_table_shows_only_what_differs(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "outputs/sweep"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines][2:4] == [
        ["c", "failed", "2/4", "0.250"],
        ["d", "finished", "4/4", "0.500"],
    ]
    assert lines[2].split()[4:] == ["boom", "algorithm=ppo", "seed=2"] and "lr" not in "".join(lines)


def test_settings_that_some_runs_alone_have_are_said_once(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs of a newer version, with three keys more; own code stands in the row, and so do two keys of two runs."""
    newer = {
        "e": "readings: {valley: false, rows: 64}\nheld: 0.75\n",
        "f": "own_code: {mine.py: abc}\nfew: {one: 1, two: 2}\n",
        "g": "more: 1\n",
    }
    newer["g"] += newer["e"]
    newer["d"] = "few: {one: 1, two: 2}\n"
    for name, text in newer.items():
        path = outputs / "sweep" / name / "config.yaml"
        path.write_text(path.read_text() + text)
    assert main(["ls", "outputs/sweep"]) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    told = {row.split()[0]: row.partition("algorithm=")[2] for row in rows}
    assert told["d"] == "ppo seed=3 one=1 two=2" and told["f"] == "tvo seed=5 one=1 two=2 mine.py=abc"
    assert told["e"] == "tvo seed=4 +a" and told["g"] == "tvo seed=8 more=1 +a"
    assert last == "+a  valley=False rows=64 held=0.75"


def test_a_run_that_only_begins_makes_no_other_differ(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "outputs/sweep"]) == 0
    before = capsys.readouterr().out.splitlines()
    told = {"state": "running", "command": "train", "overrides": ["seed=9"], "host": socket.gethostname()}
    write_json_atomically(outputs / "sweep" / "z" / run_status.STATUS_FILE, told)
    assert main(["ls", "outputs/sweep"]) == 0
    after = capsys.readouterr().out.splitlines()
    assert [line.split() for line in after[:-1]] == [line.split() for line in before]
    assert after[-1].split()[0] == "z"


def test_a_run_alone_and_no_runs(outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "outputs/sweep/d"]) == 0
    assert capsys.readouterr().out.split() == ["d", "finished", "4/4", "0.500"]
    (tmp_path / "empty").mkdir()
    assert main(["ls", "empty"]) == 0
    assert capsys.readouterr().out == "no runs in empty\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [(["ls", "nowhere"], "tvo: DIR=nowhere: there is no such"), (["ls", "--format", "x"], "--format=x")],
)
def test_what_cannot_be_listed_is_one_line(
    outputs: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_an_evaluation_without_a_config_shows_its_overrides(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("x", "y"):
        folder = outputs / "eval" / name
        told = {"state": "finished", "command": "eval", "overrides": [f"model={name}", "logger=none", "seed=1"]}
        write_json_atomically(folder / run_status.STATUS_FILE, told)
        write_json_atomically(folder / "summary.json", {"evaluation": {"eval/pass@1": 0.75}})
    assert main(["ls", "outputs/eval"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["x", "finished", "0.750", "model=x"],
        ["y", "finished", "0.750", "model=y"],
    ]


@pytest.mark.slow
def test_it_needs_no_torch_and_hundreds_of_runs_take_no_time(tmp_path: Path) -> None:
    for i in range(300):
        make(tmp_path, f"r{i}", seed=i, state="finished")
    program = (
        "import sys, resource; from tvo_cli.cli.main import main; code = main(['ls', sys.argv[1]]);"
        "used = resource.getrusage(resource.RUSAGE_SELF);"
        "heavy = [n for n in ('torch', 'hydra', 'omegaconf', 'numpy', 'wandb') if n in sys.modules];"
        "print(code, heavy, used.ru_utime + used.ru_stime, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    code, heavy, used = done.stderr.rsplit(" ", 2)
    assert (code, heavy) == ("0", "[]") and len(done.stdout.splitlines()) == 300
    assert float(used) < 500 * seconds(plain_loop, tries=5)  # two seconds of a usual CPU


LONG = "interrupted; saved {}/checkpoints/step-000002-update-000. The same command and output_dir resume from there."


def on_a_terminal(
    words: list[str], width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What a terminal of so many columns shows, without its colours."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(words) == 0
    return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)


@pytest.mark.parametrize(("width", "named"), [(80, True), (120, True), (40, False)])
def test_on_a_terminal_state_step_and_reward_are_whole(
    tmp_path: Path, width: int, named: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = make(tmp_path, "train/a-run-of-a-long-name-1128-170313", seed=0, state="interrupted")
    told = {"state": "interrupted", "command": "train", "reason": LONG.format(cut)}
    write_json_atomically(cut / run_status.STATUS_FILE, told)
    make(tmp_path, "train/b", seed=1, algorithm="an_algorithm_of_a_very_long_name_indeed", state="finished")
    shown = on_a_terminal(["ls", str(tmp_path)], width, monkeypatch, capsys)
    lines = [line for line in shown.splitlines() if line.strip()]
    assert len(lines) == 4 and max(map(len, lines)) <= width, "a row is one line"
    assert all(" interrupted " in lines[2] and " finished " in lines[3] and " 2/4 " in line for line in lines[2:])
    assert lines[2].count("0.250") == named and (" verdict " in lines[0]) == named
    assert not named or " saved check" in lines[2]


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_run_is_called_is_shown_and_not_obeyed(
    tmp_path: Path, terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, "a\x1b[2Jb\nc\r[red]d[/red]\u202e", seed=0, state="failed", reason="no\x1b]0;x\x07\nway\x9b1m")
    make(tmp_path, "plain", seed=1, algorithm="x\ny", state="finished")
    if terminal:
        shown = on_a_terminal(["ls", str(tmp_path)], 200, monkeypatch, capsys)
    else:
        assert main(["ls", str(tmp_path)]) == 0
        shown = capsys.readouterr().out
    assert r"a\x1b[2Jb\nc\r[red]d[/red]\u202e" in shown and r"no\x1b]0;x\x07\nway\x9b1m" in shown
    assert r"algorithm=x\ny" in shown or "algorithm=x y" in shown
    assert all(line.isprintable() for line in shown.splitlines()) and len(shown.split("\n")) == (7 if terminal else 3)


def test_own_code_is_told_by_its_file_and_the_start_of_its_sha256(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, sha256 in (("a", "12345678ab"), ("b", "87654321ab")):
        folder = make(tmp_path, name, state="finished")
        with (folder / "config.yaml").open("a") as config:
            config.write(f"\nown_code: {{./mine.py: {sha256}}}\n")
    assert main(["ls", str(tmp_path)]) == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == [
        "./mine.py=12345678",
        "./mine.py=87654321",
    ]
