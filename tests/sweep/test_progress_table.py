"""What a sweep shows: lines in a pipe and in sweep.log, a table on a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tvo_cli.sweep.progress_table import LOG, ProgressTable
from tvo_cli.sweep.sweep_index import SweepJob
from tvo_cli.tracking import metrics_file


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def jobs(*states: str) -> list[SweepJob]:
    return [SweepJob(f"{i:064}", f"s{i}", [], "", state=state) for i, state in enumerate(states)]


def test_one_line_a_change_in_a_pipe_and_in_the_log(tmp_path: Path) -> None:
    mine, shown = jobs("waiting", "waiting", "waiting"), io.StringIO()
    with ProgressTable(tmp_path, mine, 1, shown) as board:
        mine[0].state, mine[0].attempts = "running", 2
        board.changed(mine[0])
        board.tick(force=True)
        mine[0].state, mine[0].seconds = "finished", 60.0
        board.changed(mine[0])
        mine[1].state, mine[1].reason, mine[1].attempts = "failed", "boom", 1
        board.changed(mine[1])
    assert shown.getvalue().splitlines() == [
        "[0/3] running s0 attempt 2",
        "[1/3] finished s0 in 1:00 · about 2:00 to go",
        "[2/3] failed s1 (boom) · about 1:00 to go",
    ]
    logged = (tmp_path / LOG).read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in logged] == shown.getvalue().splitlines()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_what_a_job_is_called_is_shown_and_not_obeyed(tmp_path: Path, stream: type[io.StringIO]) -> None:
    mine, shown = jobs("failed"), stream()
    mine[0].folder, mine[0].reason = "s\x1b]0;t\x07[red]x[/red]", "no\rway\n\u202e"
    with ProgressTable(tmp_path, mine, 1, shown) as board:
        board.changed(mine[0])
    for text in (shown.getvalue(), (tmp_path / LOG).read_text()):
        assert r"s\x1b]0;t\x07[red]x[/red]" in text and r"no\rway\n\u202e" in text
        assert not {"\x07", "\u202e"} & set(text) and "\x1b]" not in text


def test_a_running_job_says_how_far_it_is(tmp_path: Path) -> None:
    mine = jobs("running")
    mine[0].steps = 8
    (tmp_path / "s0").mkdir()
    with ProgressTable(tmp_path, mine, 1, io.StringIO()) as board:
        assert board.share(mine[0]) is None
        (tmp_path / "s0" / "metrics.jsonl").write_text(metrics_file.metrics_line(1, {"reward/mean": 0.0}))
        (tmp_path / "s0" / "metrics.jsonl").open("a").write(
            metrics_file.metrics_line(2, {"reward/mean": 0.0}) + '{"step": 3, "re'
        )
        assert board.share(mine[0]) == 0.25


def has_step(folder: Path, step: int) -> None:
    (folder / "metrics.jsonl").write_text(metrics_file.metrics_line(step, {"reward/mean": 0.0}))


def test_a_job_that_goes_on_is_not_said_to_be_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, clock, shown = jobs("waiting"), [100.0], io.StringIO()
    monkeypatch.setattr("tvo_cli.sweep.progress_table.time.monotonic", lambda: clock[0])
    mine[0].steps, mine[0].state = 8, "running"
    (tmp_path / "s0").mkdir()
    has_step(tmp_path / "s0", 4)
    with ProgressTable(tmp_path, mine, 1, shown) as board:
        board.changed(mine[0])
        has_step(tmp_path / "s0", 2)  # its checkpoint is of step 2
        clock[0] = 110.0
        assert board.eta() is None
        has_step(tmp_path / "s0", 4)
        assert board.eta() == pytest.approx(20)  # two steps in 10 s, four to go
        mine[0].state, mine[0].seconds, mine[0].attempts = "finished", 30.0, 1
        assert board.eta() is None  # 30 s are not a whole job's
    assert shown.getvalue() == "[0/1] running s0\n"


def test_a_table_on_a_terminal_is_as_long_as_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "16")
    monkeypatch.setenv("COLUMNS", "100")
    mine, shown = jobs(*["finished"] * 30, "running", "failed"), Terminal()
    mine[31].reason = "boom"
    with ProgressTable(tmp_path, mine, 1, shown) as board:
        board.tick(force=True)
    drawn = shown.getvalue()
    assert "s31" in drawn and "boom" in drawn and "s30" in drawn and "s29" not in drawn
    assert "and 24 more" in drawn and "30 finished, 1 running, 1 failed" in drawn


def test_the_table_says_what_all_jobs_wait_for(tmp_path: Path) -> None:
    board = ProgressTable(tmp_path, jobs("waiting", "waiting"), 1, io.StringIO())
    assert board.line() == "2 waiting"
    board.is_loading = True
    assert board.line() == "2 waiting · loading torch and transformers, once for all jobs"


def test_a_terminal_that_cannot_draw_anew_gets_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    mine, shown = jobs("waiting"), Terminal()
    with ProgressTable(tmp_path, mine, 1, shown) as board:
        mine[0].state = "failed"
        board.changed(mine[0])
    assert shown.getvalue() == "[1/1] failed s0\n"
