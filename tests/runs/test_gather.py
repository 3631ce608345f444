"""Bad input: every case has a clear message or a stated handling, never a crash or a silent drop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest

from tests.comparison.conftest import RUNS, column, made, table, write_run
from tvo_cli.comparison.render import figures, report_terminal
from tvo_cli.errors import UserError
from tvo_cli.runs.gather import gather_runs


def test_an_empty_folder_and_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run was found there\. A run has a metrics\.jsonl"):
        gather_runs([tmp_path])
    with pytest.raises(UserError, match="there is no such folder or file"):
        gather_runs([tmp_path / "nothing"])


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


@pytest.mark.slow
def test_a_run_of_nothing_finite_counts_as_failed_in_the_metric(arms: Path) -> None:
    write_run(arms, "tvo", 3, 0.9, curve=("nan", "nan", "nan", "nan"))
    document = made(arms, metric="accuracy/fresh")
    assert column(table(document, "arms"), "each seed")[1].endswith(" 0.0")
    assert len(figures.all_figures(document)) >= 2


def test_different_lengths_are_a_warning(arms: Path) -> None:
    write_run(arms, "tvo", 3, 0.9, curve=(0.1, 0.2), settings={"trainer.steps": 4})
    warnings = made(arms).sections[0].warnings
    assert any("different lengths in steps (grpo 4; tvo 2, 4)" in warning for warning in warnings)


def test_one_arm_is_shown_and_nothing_is_compared(tmp_path: Path) -> None:
    for seed in range(2):
        write_run(tmp_path, "tvo", seed, 0.8)
    document = made(tmp_path)
    assert document.sections[0].warnings == ("One arm only (tvo): there is nothing to compare it with.",)
    assert document.sections[0].verdicts == () and "80.0 80.0" in report_terminal.report_on_terminal(document)


def test_every_run_still_going(tmp_path: Path) -> None:
    for algorithm in ("tvo", "grpo"):
        write_run(tmp_path, algorithm, 0, None, curve=())
    document = made(tmp_path, metric=None)
    assert "no run of TVO and of GRPO has a final value yet" in document.sections[0].verdicts[0].sentence
    assert isinstance(figures.all_figures(document), list)


def test_a_run_named_twice_counts_once(arms: Path) -> None:
    found = gather_runs([arms, arms / "tvo-0.001-s0"])
    assert len(found.trials) == 6
    assert found.notes == ("tvo-0.001-s0: named by more than one of the given paths; it counts once.",)


def test_links_are_followed_and_do_not_go_in_circles(arms: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "all").symlink_to(arms)
    (arms / "back").symlink_to(tmp_path / "links")
    assert len(gather_runs([tmp_path / "links"]).trials) == 6


def sweep(root: Path, *jobs: Mapping[str, object]) -> None:
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
    assert any("interrupted; the same command resumes it" in note for note in made(arms).notes)


@pytest.mark.parametrize(("word", "state"), [("running", "unfinished"), ("failed", "failed"), ("finished", "finished")])
def test_a_summary_from_before_a_run_went_on_is_not_its_end(arms: Path, word: str, state: str) -> None:
    folder = arms / "tvo-0.001-s1"  # it has a summary
    (folder / "state.json").write_text(json.dumps({"state": word}))
    assert {trial.name: trial.state for trial in gather_runs([arms]).trials}[folder.name] == state


@pytest.mark.parametrize("verdict", ["collapsed", "stopped", "rolled back"])
def test_whatever_was_done_about_a_collapse_it_was_one(arms: Path, verdict: str) -> None:
    text = json.dumps({"verdict": verdict, "collapsed_at": 3, "rules": ["entropy"]})
    (arms / "tvo-0.001-s1" / "collapse.json").write_text(text)
    document = made(arms)
    assert column(table(document, "arms"), "collapsed") == ["0", "1"]
    assert column(table(document, "arms"), "each seed")[1] == "80.0 90.0† 85.0"
    assert column(table(document, "collapse"), "rate of collapse (%)")[1].startswith("33.3 ")


def test_a_run_without_rules_was_not_watched(arms: Path) -> None:
    for seed in range(2):
        text = json.dumps({"verdict": "healthy", "collapsed_at": None, "rules": []})
        (arms / f"tvo-0.001-s{seed}" / "collapse.json").write_text(text)
    assert column(table(made(arms), "collapse"), "watched") == ["3", "1"]


def test_a_job_that_failed_before_its_first_step_never_got_anywhere(arms: Path) -> None:
    sweep(arms, {"folder": "gone", "state": "failed", "overrides": ["algorithm=tvo", "seed=5", "optimizer.lr=1e-3"]})
    found = table(made(arms), "efficiency")
    # the running mean of 0.1 0.2 0.3 0.4 ends at 0.25: three of four runs stand at 20%
    assert column(found, "20%: reached") == ["3 of 3", "3 of 4"]


def test_real_runs_with_a_failed_and_an_unfinished_one() -> None:
    trials = {trial.name: trial for trial in gather_runs([RUNS]).trials}
    assert len(trials) == 21
    assert trials["ppo-0.0003-s4"].state == "failed" and trials["grpo-0.0003-s4"].state == "unfinished"
    assert trials["tvo-0.0003-s4"].collapsed_at == 24 and trials["tvo-0.0003-s4"].state == "finished"


def write_evaluation(folder: Path, model: str, right: dict[str, int], protocol: str = "f00d") -> None:
    """As `tvo eval` leaves it: ten problems a suite, one sample, so many right."""
    folder.mkdir(parents=True)
    common = {"protocol": "plain", "protocol_hash": protocol, "graded": True}
    suites = {name: {**common, "fingerprint": name, "avg": {"mean": n / 10}} for name, n in right.items()}
    (folder / "config.yaml").write_text(json.dumps({"model": {"path": model}, "evaluation": {"suites": sorted(right)}}))
    (folder / "command.txt").write_text("tvo eval\n")
    (folder / "summary.json").write_text(
        json.dumps({"kind": "evaluation", "model": model, "seed": 42, "suites": suites})
    )
    rows = [row for name, n in right.items() for row in ten_problems(name, n)]
    (folder / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def ten_problems(suite: str, right: int) -> Iterator[dict[str, object]]:
    """One sample and one greedy response each; the first so many samples are right, no greedy response is."""
    for i, decoding in product(range(10), ("sampled", "greedy")):
        correct = decoding == "sampled" and i < right
        yield {"suite": suite, "id": str(i), "decoding": decoding, "sample": 0, "correct": correct}


def test_evaluations_are_compared_suite_by_suite_under_the_run_that_made_the_policy(tmp_path: Path) -> None:
    right = {
        "tvo": ({"easy": 7, "hard": 3}, {"easy": 9, "hard": 5}),
        "grpo": ({"easy": 5, "hard": 3}, {"easy": 6, "hard": 3}),
    }
    for algorithm, seeds in right.items():
        for seed, found in enumerate(seeds):
            policy = write_run(tmp_path / "runs", algorithm, seed, 0.5) / "checkpoints" / "step-000004" / "policy"
            write_evaluation(tmp_path / "evaluations" / f"{algorithm}-{seed}", str(policy), found)
    document = made(tmp_path / "evaluations")
    assert [section.label for section in document.sections] == ["suite=easy", "suite=hard"]
    easy, hard = (section.verdicts[0] for section in document.sections)
    assert easy.sentence.startswith("TVO − GRPO = +25.0 points") and "2 paired seeds" in easy.sentence
    assert hard.sentence.startswith("TVO − GRPO = +10.0 points")
    # tvo solved 0–6 twice, 7 and 8 once of two; grpo 0–4 twice, 5 once: 8 − 5.5 of 10
    assert any(line.startswith("by problem, for these very policies: +25.0 points") for line in easy.beside)


def test_evaluations_of_other_protocols_are_refused_and_of_unknown_models_named_by_path(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "a", "models/a", {"easy": 5})
    write_evaluation(tmp_path / "b", "models/b", {"easy": 7})
    document = made(tmp_path, by=("evaluated",))
    assert document.sections[0].verdicts[0].sentence.startswith("models/b − models/a = +20.0 points")
    write_evaluation(tmp_path / "c", "models/c", {"easy": 8}, protocol="beef")
    with pytest.raises(UserError, match=r"protocol_hash=.*different evaluation protocols"):
        made(tmp_path, by=("evaluated",))


def test_an_evaluation_that_is_not_done_is_listed(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "a", "models/a", {"easy": 5})
    write_evaluation(tmp_path / "b", "models/b", {"easy": 5})
    (tmp_path / "b" / "summary.json").unlink()
    (tmp_path / "b" / "evaluation.json").write_text("{}")
    notes = made(tmp_path, by=("evaluated",)).notes
    assert any("1 unfinished run: b (no score yet; still running, or killed)" in note for note in notes)


def test_runs_without_any_usual_metric_need_a_name(arms: Path) -> None:
    for path in arms.glob("*/metrics.jsonl"):
        path.write_text('{"step": 4, "other": 1.0}\n')
    with pytest.raises(UserError, match="no run has eval/pass@1, accuracy/fresh, reward/mean"):
        made(arms)
    assert made(arms, metric="other").how.metric == "other"


@pytest.mark.parametrize(
    ("file", "text", "planned"),
    [
        ("sft.json", '{"steps": 5}', 5),
        ("state.json", '{"command": "sft"}', None),
        ("resume/plan.json", '{"steps": 5}', 5),
        ("resume/experiment.json", '{"steps": 5}', 5),
        ("resume/experiment.json", '{"steps": "auto"}', None),
    ],
)
def test_a_folder_of_fine_tuning_is_ours_done_or_under_way(
    tmp_path: Path, file: str, text: str, planned: int | None
) -> None:
    folder = tmp_path / "start"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 1, "sft/loss": 2.0}\n{"step": 2, "sft/loss": 1.0}\n')
    (folder / "state.json").write_text('{"command": "sft"}')
    (folder / "resume").mkdir()
    (folder / file).write_text(text)
    for path in (tmp_path, folder / "metrics.jsonl"):
        (found,) = gather_runs([path]).trials
        assert (found.tool, found.planned, found.name) == ("tvo-sft", planned, "start")
        assert found.curve("loss/policy") == ([1, 2], [2.0, 1.0])


@pytest.mark.parametrize("own", ["", '{"step": 2, "eval/loss": 0.5}\n'])
def test_the_last_evaluation_of_a_fine_tuning_is_read_also_where_sft_json_alone_has_it(
    tmp_path: Path, own: str
) -> None:
    """The row of step 0 is the model before the fine-tuning: taken for the final one, it would be what is compared."""
    rows = '{"step": 0, "eval/loss": 3.0}\n{"step": 1, "sft/loss": 2.0}\n{"step": 2, "sft/loss": 1.0}\n'
    (tmp_path / "metrics.jsonl").write_text(rows + own)
    (tmp_path / "sft.json").write_text('{"steps": 2, "before": {"loss": 3.0}, "eval/loss": 0.5}')
    (found,) = gather_runs([tmp_path]).trials
    assert found.curve("eval/loss") == ([0, 2], [3.0, 0.5])


def test_a_sweep_of_fine_tunings_has_one_run_a_job(tmp_path: Path) -> None:
    """A job's folder is its run's: none is told a second time, as one that has left nothing."""
    sweep(tmp_path, *({"folder": name, "overrides": ["seed=1"], "state": "finished"} for name in ("s1", "s2")))
    for folder in (tmp_path / "s1", tmp_path / "s2"):
        folder.mkdir()
        (folder / "metrics.jsonl").write_text('{"step": 1, "sft/loss": 2.0}\n')
        (folder / "sft.json").write_text('{"steps": 1}')
    trials = gather_runs([tmp_path]).trials
    assert [(one.name, one.tool, len(one.run.steps)) for one in trials] == [("s1", "tvo-sft", 1), ("s2", "tvo-sft", 1)]
