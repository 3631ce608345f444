"""Bad input: every case has a clear message or a stated handling, never a crash or a silent drop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.report.compare.conftest import RUNS, made, write_run
from tests.report.compare.test_arms import column, table
from tvo_cli.errors import UserError
from tvo_cli.report.compare import plain, plots
from tvo_cli.report.compare.gather import gather


def test_an_empty_folder_and_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run was found there\. A run has a metrics\.jsonl"):
        gather([tmp_path])
    with pytest.raises(UserError, match="there is no such folder or file"):
        gather([tmp_path / "nothing"])


def test_a_torn_last_line_and_a_broken_one(arms: Path) -> None:
    path = arms / "tvo-0.001-s0" / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 5, "accu')
    other = arms / "tvo-0.001-s1" / "metrics.jsonl"
    other.write_text(other.read_text().replace("\n", "\nnonsense\n", 1))
    notes = made(arms).notes
    assert "tvo-0.001-s0: the last line of metrics.jsonl is torn; it is left out." in notes
    assert "tvo-0.001-s1: line 2 of metrics.jsonl is not a metrics row; it is left out." in notes
    assert "3 paired seeds" in made(arms).sections[0].verdicts[0].sentence


@pytest.mark.parametrize("name", ["summary.json", "collapse.json", "config.yaml"])
def test_a_file_that_cannot_be_read_is_said(arms: Path, name: str) -> None:
    (arms / "tvo-0.001-s0" / name).write_text("{broken: [")
    document = made(arms)
    assert f"tvo-0.001-s0: {name} cannot be read; it is left out." in document.notes
    assert sum(len(arm.trials) for section in document.sections for arm in section.found.block.arms) == 6


def test_rewards_that_are_not_numbers_enter_no_mean_and_are_counted(arms: Path) -> None:
    for seed in range(3):
        write_run(arms, "nan", seed, 0.6, curve=(0.2, "nan", 0.4, "nan"))
    document = made(arms, metric="accuracy/fresh")
    assert column(table(document, "arms"), "each seed")[1] == "30.0 30.0 30.0"  # the mean of 0.2 and 0.4
    assert any("is not finite at 6 steps; they enter no mean" in note for note in document.notes)


def test_a_run_of_nothing_finite_counts_as_failed_in_the_metric(arms: Path) -> None:
    write_run(arms, "tvo", 3, 0.9, curve=("nan", "nan", "nan", "nan"))
    document = made(arms, metric="accuracy/fresh")
    assert column(table(document, "arms"), "each seed")[1].endswith(" 0.0")
    assert len(plots.figures(document)) >= 2


def test_different_lengths_are_a_warning(arms: Path) -> None:
    write_run(arms, "tvo", 3, 0.9, curve=(0.1, 0.2), settings={"trainer.steps": 4})
    warnings = made(arms).sections[0].warnings
    assert any("different lengths in steps (grpo 4; tvo 2, 4)" in warning for warning in warnings)


def test_one_arm_is_shown_and_nothing_is_compared(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path, "tvo", seed, 0.8)
    document = made(tmp_path)
    assert document.sections[0].warnings == ("One arm only (tvo): there is nothing to compare it with.",)
    assert document.sections[0].verdicts == () and "80.0 80.0" in plain.terminal(document)


def test_every_run_still_going(tmp_path: Path) -> None:
    for algorithm in ("tvo", "grpo"):
        write_run(tmp_path, algorithm, 0, None, curve=())
    document = made(tmp_path, metric=None)
    assert "no run of TVO and of GRPO has a final value yet" in document.sections[0].verdicts[0].sentence
    assert isinstance(plots.figures(document), list)


def test_a_run_named_twice_counts_once(arms: Path) -> None:
    found = gather([arms, arms / "tvo-0.001-s0"])
    assert len(found.trials) == 6
    assert found.notes == ("tvo-0.001-s0: named by more than one of the given paths; it counts once.",)


def test_links_are_followed_and_do_not_go_in_circles(arms: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "all").symlink_to(arms)
    (arms / "back").symlink_to(tmp_path / "links")
    assert len(gather([tmp_path / "links"]).trials) == 6


def sweep(root: Path, *jobs: dict[str, object]) -> None:
    (root / "sweep.json").write_text(json.dumps({"jobs": list(jobs)}))


def test_a_job_that_left_nothing_is_known_from_its_sweep(arms: Path) -> None:
    lost = {"folder": "gone", "state": "failed", "reason": "killed by signal 9"}
    sweep(arms, {**lost, "overrides": ["algorithm=tvo", "seed=5", "optimizer.lr=1e-3"]})
    document = made(arms)
    assert column(table(document, "arms"), "each seed")[1] == "80.0 90.0 85.0 0.0×"
    assert any(
        "gone (nothing was recorded; the sweep calls it failed: killed by signal 9)" in n for n in document.notes
    )


def test_a_sweep_tells_a_killed_run_from_one_still_going(arms: Path) -> None:
    write_run(arms, "tvo", 3, None)
    assert column(table(made(arms), "arms"), "failed") == ["0", "0"]
    sweep(
        arms,
        {"folder": "tvo-0.001-s3", "state": "failed", "reason": "hung"},
        {"folder": "tvo-0.001-s0", "state": "failed"},
    )
    assert column(table(made(arms), "arms"), "failed") == ["0", "1"]  # a summary says more than an index
    (arms / "sweep.json").write_text("{torn")
    assert any("the sweep's index is not JSON" in note for note in made(arms).notes)


def test_a_run_s_own_word_about_its_end(arms: Path) -> None:
    folder = write_run(arms, "tvo", 3, None)
    (folder / "state.json").write_text(json.dumps({"state": "failed", "reason": "out of memory"}))
    assert any("stopped by out of memory" in note for note in made(arms).notes)
    (folder / "state.json").write_text(json.dumps({"state": "interrupted"}))
    assert any("interrupted, and the same command goes on" in note for note in made(arms).notes)


def test_real_runs_with_a_failed_and_an_unfinished_one() -> None:
    trials = {trial.name: trial for trial in gather([RUNS]).trials}
    assert len(trials) == 21
    assert trials["ppo-0.0003-s4"].state == "failed" and trials["grpo-0.0003-s4"].state == "unfinished"
    assert trials["tvo-0.0003-s4"].collapsed_at == 24 and trials["tvo-0.0003-s4"].state == "finished"


def test_evaluation_folders_are_compared_by_their_model(tmp_path: Path) -> None:
    for model, scores in (("a", (0.5, 0.6)), ("b", (0.7, 0.9))):
        for seed, score in enumerate(scores):
            folder = tmp_path / f"{model}-{seed}"
            folder.mkdir()
            summary = {"model": model, "seed": seed, "evaluation": {"eval/pass@1": score}, "protocol": "f00d"}
            (folder / "summary.json").write_text(json.dumps(summary))
            rows = [{"id": str(i), "correct": i < 10 * score} for i in range(10)]
            (folder / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = made(tmp_path, by=("model",), baseline="a")
    assert document.sections[0].verdicts[0].sentence.startswith("b − a = +25.0 points")
    # problems: of a's two runs 5 and 6 of 10 solved, of b's 7 and 9
    assert any(
        "by problem, for these very policies: +25.0 points" in line for line in document.sections[0].verdicts[0].beside
    )
    other = tmp_path / "b-0" / "summary.json"
    other.write_text(other.read_text().replace("f00d", "beef"))
    with pytest.raises(UserError, match="different evaluation protocols"):
        made(tmp_path, by=("model",))
