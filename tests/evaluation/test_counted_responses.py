"""Which responses of an evaluation count: an evaluation that was killed is judged again by what is whole of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.conftest import Parrot, run
from tvo_cli.errors import UserError
from tvo_cli.evaluation.pipeline import regrade_folder
from tvo_cli.report.evaluation_report import suite_rows

if TYPE_CHECKING:
    from omegaconf import DictConfig


def leave(folder: Path, *keys: tuple[str, str, int]) -> None:
    """Keep responses of these (decoding, problem, how many samples), as a kill leaves them."""
    path = folder / "responses.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    most = {(decoding, name): count for decoding, name, count in keys}
    kept = [row for row in rows if row["sample"] < most.get((row["decoding"], row["id"]), 0)]
    path.write_text("".join(json.dumps(row) + "\n" for row in kept))


@pytest.fixture
def killed(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> Callable[..., tuple[DictConfig, Path]]:
    """An evaluation of four samples and a greedy response each, of which responses are left."""

    def make(*keys: tuple[str, str, int]) -> tuple[DictConfig, Path]:
        config = asked("decoding.greedy=true")
        run(config, Parrot(golds))
        (tmp_path / "run" / "summary.json").unlink()
        leave(tmp_path / "run", *keys)
        return config, tmp_path / "run"

    return make


SAMPLED = [("sampled", f"p{i}", 4) for i in range(6)]


def figures_of(summary: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = summary["suites"]["jsonl"]
    return found


def test_killed_in_its_greedy_responses_all_sampled_problems_count(
    killed: Callable[..., tuple[DictConfig, Path]], caplog: pytest.LogCaptureFixture
) -> None:
    config, folder = killed(*SAMPLED, ("greedy", "p0", 1), ("greedy", "p3", 1))
    found = figures_of(regrade_folder(folder, config.reward, 0.95))
    assert (found["problems"], found["samples"], found["avg"]["mean"], found["greedy"]["mean"]) == (6, 4, 0.5, 1.0)
    assert found["incomplete"] == {"greedy": {"whole": 2, "problems": 6}}
    assert "jsonl: all greedy responses are there of 2 of 6 problems; the figures are of those" in caplog.text
    assert f"The command in {folder / 'command.txt'} makes the rest" in caplog.text


def test_killed_in_its_first_samples_the_whole_problems_count(
    killed: Callable[..., tuple[DictConfig, Path]], caplog: pytest.LogCaptureFixture
) -> None:
    config, folder = killed(("sampled", "p1", 4), ("sampled", "p2", 3), ("sampled", "p4", 4))
    summary = regrade_folder(folder, config.reward, 0.95)
    found = figures_of(summary)
    assert (found["problems"], found["samples"], found["greedy"]) == (2, 4, None)
    assert [row["id"] for row in found["by_problem"]] == ["p1", "p4"]
    assert found["incomplete"] == {
        "sampled": {"whole": 2, "problems": 6},
        "greedy": {"whole": 0, "problems": 6},
    }
    assert "all sampled responses are there of 2 of 6 problems, all greedy ones of 0 of 6" in caplog.text
    assert suite_rows(summary)[0][2] == "2 of 6"


def test_without_a_whole_problem_verdicts_are_renewed_and_there_are_no_figures(
    killed: Callable[..., tuple[DictConfig, Path]], golds: dict[str, str]
) -> None:
    config, folder = killed(("sampled", "p1", 3), ("sampled", "p2", 1))
    text = (folder / "responses.jsonl").read_text()
    (folder / "responses.jsonl").write_text(text.replace('"correct": true', '"correct": false'))
    with pytest.raises(UserError, match=r"no problem with all of its responses .*4 responses.* renewed.*command\.txt"):
        regrade_folder(folder, config.reward, 0.95)
    assert not (folder / "summary.json").exists()
    rows = [json.loads(line) for line in (folder / "responses.jsonl").read_text().splitlines()]
    assert [row["correct"] for row in rows] == [True, False, True, True], "samples 0 and 2 are the gold"
    assert figures_of(run(config, Parrot(golds)))["problems"] == 6


def test_an_evaluation_without_a_response_is_refused(killed: Callable[..., tuple[DictConfig, Path]]) -> None:
    config, folder = killed()
    with pytest.raises(UserError, match=r"holds no response yet\. The command in .*command\.txt makes them"):
        regrade_folder(folder, config.reward, 0.95)
    (folder / "responses.jsonl").unlink()
    with pytest.raises(UserError, match="holds no response yet"):
        regrade_folder(folder, config.reward, 0.95)


def test_a_whole_evaluation_says_nothing_of_missing_ones(
    killed: Callable[..., tuple[DictConfig, Path]], caplog: pytest.LogCaptureFixture
) -> None:
    config, folder = killed(*SAMPLED, *(("greedy", f"p{i}", 1) for i in range(6)))
    summary = regrade_folder(folder, config.reward, 0.95)
    assert "incomplete" not in figures_of(summary)
    assert suite_rows(summary)[0][2] == "6"
    assert "are there of" not in caplog.text


def test_a_suite_that_has_not_begun_is_said_and_left_out(
    killed: Callable[..., tuple[DictConfig, Path]], caplog: pytest.LogCaptureFixture
) -> None:
    config, folder = killed(*SAMPLED, *(("greedy", f"p{i}", 1) for i in range(6)))
    identity = json.loads((folder / "evaluation.json").read_text())
    identity["suites"]["later"] = identity["suites"]["jsonl"]
    (folder / "evaluation.json").write_text(json.dumps(identity))
    rows = [json.loads(line) for line in (folder / "problems.jsonl").read_text().splitlines()]
    with (folder / "problems.jsonl").open("a") as file:
        file.writelines(json.dumps({**row, "suite": "later"}) + "\n" for row in rows)
    assert list(regrade_folder(folder, config.reward, 0.95)["suites"]) == ["jsonl"]
    assert "later: all sampled responses are there of 0 of 6 problems" in caplog.text
