"""Logs of other trainers in every form: JSON lines, nested ones, CSV, several runs in a file, one that still grows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.runs.gather import gather_runs
from tvo_cli.runs.trial import Trial


def lines(path: Path, rows: list[dict[str, Any]], end: str = "\n") -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + end)
    return path


def read(path: Path) -> tuple[Trial, str]:
    found = gather_runs([path])
    [trial] = found.trials
    return trial, " ".join(found.notes)


def verl_rows(steps: int) -> list[dict[str, Any]]:
    """As verl's file logger writes them: the metrics of a step in a mapping of their own."""
    return [
        {
            "step": step,
            "data": {
                "critic/rewards/mean": 0.1 * step,
                "actor/entropy": 0.5,
                "actor/pg_clipfrac": 0.01,
                "response_length/clip_ratio": 0.2,
                "val-core/gsm8k/acc/mean@8": 0.3,
                "actor/lr": 1e-6,
            },
        }
        for step in range(1, steps + 1)
    ]


def test_verl_is_read_as_it_is(tmp_path: Path) -> None:
    trial, _ = read(lines(tmp_path / "verl.jsonl", verl_rows(3)))
    assert (trial.tool, trial.rate) == ("verl", 1e-6)
    assert trial.curve("reward/mean") == ([1, 2, 3], pytest.approx([0.1, 0.2, 0.3]))
    assert trial.curve("eval/pass@1")[1] == [0.3] * 3 and trial.curve("response/truncated")[1] == [0.2] * 3


def test_prime_rl_is_read_as_it_is(tmp_path: Path) -> None:
    row = {"reward/all/mean": 0.4, "batch/solve_none": 0.3, "batch/solve_all": 0.2, "mismatch_kl/mean": 0.01}
    rows = [{"step": step, **row, "entropy/mean": 0.5, "eval/aime/avg@8": 0.25} for step in (1, 2)]
    trial, _ = read(lines(tmp_path / "prime.jsonl", rows))
    assert trial.tool == "prime-rl" and trial.curve("group/all_wrong")[1] == [0.3, 0.3]
    assert trial.curve("policy/mismatch_kl")[1] == [0.01] * 2 and trial.curve("eval/pass@1")[1] == [0.25] * 2


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_table_is_read_and_empty_cells_are_missing(tmp_path: Path, separator: str) -> None:
    rows = [["Step", "reward/mean", "policy/entropy"], ["1", "0.5", ""], ["2", "nan", "0.6"]]
    (tmp_path / "log.csv").write_text("\n".join(separator.join(row) for row in rows))
    trial, _ = read(tmp_path / "log.csv")
    assert trial.curve("policy/entropy") == ([2], [0.6])
    assert trial.curve("reward/mean") == ([1, 2], pytest.approx([0.5, math.nan], nan_ok=True))


def test_a_table_without_steps_is_numbered_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("reward/mean\n0.1\n0.2\n")
    trial, notes = read(tmp_path / "log.csv")
    assert trial.curve("reward/mean") == ([1, 2], [0.1, 0.2]) and "its rows are numbered from 1" in notes


def test_of_two_runs_in_one_file_the_last_is_read_and_that_is_said(tmp_path: Path) -> None:
    rows = [{"step": step, "reward/mean": value} for value in (0.1, 0.9) for step in (1, 2, 3)]
    trial, notes = read(lines(tmp_path / "log.jsonl", rows))
    assert trial.curve("reward/mean") == ([1, 2, 3], [0.9] * 3) and "2 runs stand in one file" in notes


def test_a_resumed_run_is_one_and_its_later_rows_count(tmp_path: Path) -> None:
    rows = [{"step": step, "reward/mean": value} for step, value in ((1, 0.1), (2, 0.2), (3, 0.3), (3, 0.5), (4, 0.6))]
    trial, notes = read(lines(tmp_path / "log.jsonl", rows))
    assert trial.curve("reward/mean") == ([1, 2, 3, 4], [0.1, 0.2, 0.5, 0.6]) and "runs stand" not in notes


def test_a_log_that_still_grows_is_read_up_to_its_torn_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "log.jsonl", [{"step": 1, "reward/mean": 0.1}], end='\n{"step": 2, "rew')
    trial, notes = read(path)
    assert trial.last_step == 1 and "line 2 of log.jsonl is not JSON; it is left out" in notes


def test_a_table_that_still_grows_is_read_up_to_its_torn_line(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,reward/mean,policy/entropy\n1,0.5,0.6\n2,0.6,0.6\n3,0.")
    trial, notes = read(tmp_path / "log.csv")
    assert trial.curve("reward/mean") == ([1, 2], [0.5, 0.6]) and "last line of log.csv is torn" in notes


@pytest.mark.parametrize(
    ("end", "torn"), [("0.", "if the file was cut off, so is its reward/mean '0.'"), ("0.7\n", ""), ('"0.7"', "")]
)
def test_a_table_without_a_last_line_end_is_read_and_its_last_cell_is_said(tmp_path: Path, end: str, torn: str) -> None:
    (tmp_path / "log.csv").write_text(f"step,reward/mean\n1,0.5\n2,0.6\n3,{end}")
    trial, notes = read(tmp_path / "log.csv")
    assert trial.curve("reward/mean") == ([1, 2, 3], [0.5, 0.6, 0.7 if "7" in end else 0.0])
    assert torn in notes and ("no line end" in notes) == bool(torn)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_document_that_ends_amid_its_list_is_read_up_to_there(tmp_path: Path, kept: int) -> None:
    whole = json.dumps({"max_steps": 9, "log_history": [{"step": step, "reward": 0.1 * step} for step in (1, 2, 3)]})
    (tmp_path / "trainer_state.json").write_text(whole[: whole.index(f'"step": {kept + 1}') + 4])
    trial, notes = read(tmp_path)
    assert trial.last_step == kept
    assert ("is not JSON; nothing of it" if not kept else f"its {kept} whole rows are read") in notes


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_rows_is_read(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"step": 1, "reward": 0.1}, {"step": 2, "reward": 0.2}, "end"], indent=indent))
    trial, _ = read(path)
    assert trial.curve("reward/mean") == ([1, 2], [0.1, 0.2])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"step": "1", "reward": 0.3}, "no row has a step that is a whole number (step is '1'); its columns are step,"),
        ({"step": 10**400, "reward": 0.3}, "no row has a step that is a whole number"),
        ({"time": 3, "reward": 0.3}, "no row has a step that is a whole number; its columns are time, reward"),
        ({"step": 1, "reward": "0,3"}, "no column besides step is a number: reward is '0,3'"),
        ({"step": 1, "train": {"reward": 0.3}}, "--mapping, nested: train"),
        ({"step": 1}, "no column besides step is a number"),
    ],
)
def test_rows_that_cannot_be_read_are_said_to_be_so(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    trial, notes = read(lines(tmp_path / "log.jsonl", [row] * 3))
    assert not trial.run.steps and said in notes


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_logged_text_with_a_line_separator_of_unicode_tears_no_row(tmp_path: Path, end: str) -> None:
    rows = [{"step": step, "reward/mean": 0.1 * step, "sample": "a\u2028b\x85"} for step in (1, 2)]
    path = tmp_path / "log.jsonl"
    path.write_bytes("".join(json.dumps(row, ensure_ascii=False) + end for row in rows).encode())
    trial, notes = read(path)
    assert trial.curve("reward/mean") == ([1, 2], [0.1, 0.2]) and "not JSON" not in notes
