"""Runs of other trainers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.comparison.conftest import column, made, table, write_run
from tvo_cli.errors import UserError
from tvo_cli.runs.gather import gather_runs


def trainer_state(reward: float, steps: int = 6, planned: int = 6) -> dict[str, Any]:
    """As TRL's GRPOTrainer writes it: a row a logging step, evaluations in rows of their own, a last row of totals."""
    rows: list[dict[str, Any]] = [
        {
            "step": step,
            "epoch": step / 10,
            "loss": 0.01,
            "grad_norm": 0.5,
            "learning_rate": 1e-5 * (1 - (step - 1) / 6),
            "reward": reward + step / 100,
            "reward_std": 0.4,
            "frac_reward_zero_std": 0.1,
            "entropy": 0.6 - step / 50,
            "num_tokens": 1000.0 * step,
            "completions/mean_length": 120.0,
            "completions/clipped_ratio": 0.02,
            "rewards/accuracy_reward/mean": reward + step / 100,
            "step_time": 2.5,
        }
        for step in range(1, steps + 1)
    ]
    rows.insert(3, {"step": 3, "eval_loss": 0.0, "eval_rewards/accuracy_reward/mean": reward})
    rows.append({"step": steps, "eval_loss": 0.0, "eval_rewards/accuracy_reward/mean": reward + 0.1})
    rows.append({"step": steps, "train_runtime": 15.5, "train_loss": 0.01})
    return {"global_step": steps, "max_steps": planned, "log_history": rows}


def write_state(folder: Path, **options: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trainer_state.json").write_text(json.dumps(trainer_state(**options)))


def test_trl_is_read_as_it_is(tmp_path: Path) -> None:
    write_state(tmp_path / "trl-grpo-seed3", reward=0.5)
    [trial] = gather_runs([tmp_path]).trials
    assert (trial.seed, trial.rate, trial.state) == ("3", 1e-5, "finished")
    assert trial.settings["algorithm.name"] == "trl-grpo"
    assert trial.curve("eval/pass@1") == ([3, 6], [0.5, 0.6]) and trial.curve("accuracy/fresh")[1][0] == 0.51
    assert trial.run.steps[0]["policy/entropy"] == 0.58 and trial.run.steps[0]["gradient/norm"] == 0.5
    assert trial.run.steps[5]["tokens"] == 6000.0 and trial.run.summary["seconds"] == 15.5


def test_of_trl_s_checkpoints_the_newest_holds_the_history(tmp_path: Path) -> None:
    for steps in (4, 10):
        write_state(tmp_path / "grpo-s1" / f"checkpoint-{steps}", reward=0.5, steps=steps, planned=10)
    [trial] = gather_runs([tmp_path]).trials
    assert trial.name == "grpo-s1" and trial.last_step == 10 and trial.seed == "1"


def test_trl_against_ours(tmp_path: Path) -> None:
    for seed, shift in enumerate((0.0, 0.02, 0.01)):
        write_state(tmp_path / f"trl-s{seed}", reward=0.5 + shift)
        write_run(tmp_path, "tvo", seed, 0.8 + 2 * shift, lr=1e-5)
    document = made(tmp_path, baseline="trl")
    # 80, 84, 82 against 60, 62, 61: 20, 22, 21
    assert document.sections[0].verdicts[0].sentence.startswith("TVO − trl = +21.0 points, 95% CI [+18.5, +23.5]")
    assert any("nothing says how these runs were evaluated" in warning for warning in document.sections[0].warnings)


def test_runs_of_unknown_seeds_are_no_repeats(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("file: trainer_state.json\nrows: log_history\nsettings: {algorithm.name: theirs}\n")
    for name, reward in (("first", 0.4), ("second", 0.6)):
        write_state(tmp_path / "runs" / name, reward=reward)
    [arm] = made(tmp_path / "runs", mapping=mapping, metric="entropy").sections[0].found.block.arms
    assert [trial.seed for trial in arm.trials] == ["?first", "?second"]


def test_a_state_that_did_not_end_is_unfinished(tmp_path: Path) -> None:
    write_state(tmp_path / "trl-s0", reward=0.5, steps=4, planned=6)
    [trial] = gather_runs([tmp_path]).trials
    assert (trial.state, trial.why) == ("unfinished", "4 of 6 steps")


@pytest.mark.parametrize(("text", "said"), [("{torn", "is not JSON"), ('{"max_steps": 3}', "has no list log_history")])
def test_a_state_that_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "trl-s0").mkdir()
    (tmp_path / "trl-s0" / "trainer_state.json").write_text(text)
    found = gather_runs([tmp_path])
    assert [trial.state for trial in found.trials] == ["unfinished"] and said in found.notes[0]


def test_a_mapping_reads_any_json_lines(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "file: log.jsonl\nstep: global_step\nplanned: 3\n"
        "metrics: {accuracy/fresh: train_acc, eval/pass@1: test_acc}\n"
        "settings: {optimizer.lr: {column: lr, take: max}, dataset.name: gsm8k}\n"
        "path: '(?P<algorithm>[a-z]+)_run(?P<seed>[0-9]+)'\n"
    )
    for algorithm, shift in (("rloo", 0.1), ("grpo", 0.0)):
        for seed in (1, 2):
            folder = tmp_path / "runs" / f"{algorithm}_run{seed}"
            folder.mkdir(parents=True)
            rows = [{"global_step": s, "train_acc": 0.1 * s, "lr": 2e-6 / s, "note": "text"} for s in (1, 2, 3)]
            rows.append({"global_step": 3, "test_acc": 0.4 + shift + seed / 50, "train_acc": "NaN"})
            (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\nnonsense\n")
    document = made(tmp_path / "runs", mapping=mapping)
    assert column(table(document, "arms"), "each seed") == ["42.0 44.0", "52.0 54.0"]
    assert column(table(document, "arms"), "rate") == ["2e-6", "2e-6"]
    assert any("line 5 of log.jsonl is not JSON" in note for note in document.notes)


def test_plain_metrics_without_a_config_take_their_names_from_the_folder(tmp_path: Path) -> None:
    for name, final in (("mine-seed0", 0.5), ("mine-seed1", 0.6), ("theirs-seed0", 0.4), ("theirs-seed1", 0.3)):
        (tmp_path / name).mkdir()
        rows = [{"step": 1, "accuracy/fresh": 0.1}, {"step": 2, "eval/pass@1": final}]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = made(tmp_path, baseline="theirs")
    assert document.sections[0].verdicts[0].sentence.startswith("mine − theirs = +20.0 points")
    assert any("its planned number of steps is unknown" in note for note in document.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour: red", "has no key colour"),
        ("[1, 2]", "holds no mapping"),
        ("{broken: [", "is neither YAML nor JSON"),
        ("path: '('", "path is no pattern"),
        ("settings: {seed: {take: max}}", "cannot read the setting seed"),
        ("metrics: 3", "are mappings of our names"),
    ],
)
def test_a_wrong_mapping_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        gather_runs([tmp_path], path)
    with pytest.raises(UserError, match="there is no such file"):
        gather_runs([tmp_path], tmp_path / "none.yaml")


def write_logs(root: Path, mapping: str, logs: dict[str, list[dict[str, Any]]]) -> tuple[Path, Path]:
    """JSON lines by the name of their folder, and a mapping: the folder of all, and the mapping's file."""
    for name, rows in logs.items():
        (root / "runs" / name).mkdir(parents=True)
        (root / "runs" / name / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "mapping.yaml").write_text(f"file: log.jsonl\n{mapping}\n")
    return root / "runs", root / "mapping.yaml"


def test_seeds_that_a_table_holds_as_floats_are_the_seeds_that_they_are(tmp_path: Path) -> None:
    logs: dict[str, list[dict[str, Any]]] = {
        f"{arm}_{seed}": [{"step": 1, "reward": seed / 1e5, "seed": gap}, {"step": 2, "reward": 0.5, "seed": seed}]
        for arm in ("grpo", "rloo")
        for seed, gap in ((12345.0, math.nan), (12346.0, None), (1234567.0, 1234567.0))
    }
    mapping = (
        "path: '(?P<algorithm>[a-z]+)_'\nsettings: {seed: {column: seed, take: max}}\nmetrics: {reward/mean: reward}"
    )
    runs, file = write_logs(tmp_path, mapping, logs)
    document = made(runs, mapping=file)
    arms = document.sections[0].found.block.arms
    assert [[trial.seed for trial in arm.trials] for arm in arms] == [["12345", "12346", "1234567"]] * 2
    assert not any("counts, not" in note for note in document.notes)


def test_a_rate_that_a_column_holds_agrees_to_three_digits_and_nothing_else_is_rounded(tmp_path: Path) -> None:
    row: dict[str, Any] = {"step": 1, "reward": 0.5, "lr": 1.2344e-5, "beta": 0.12344, "tags": ["a", 1]}
    columns = "settings: {optimizer.lr: {column: lr}, beta: {column: beta}, tags: {column: tags}}"
    runs, file = write_logs(tmp_path, columns, {"mine-s1": [row]})
    [trial] = gather_runs([runs], file).trials
    assert [trial.settings[name] for name in ("optimizer.lr", "beta", "tags")] == [1.23e-5, 0.12344, '["a", 1]']


def test_of_repeats_of_another_tool_the_first_by_name_counts_and_the_note_says_so(tmp_path: Path) -> None:
    logs = {f"{name}-s1": [{"step": 1, "reward": 0.5}] for name in ("a", "b")}
    runs, file = write_logs(tmp_path, "settings: {algorithm.name: mine}\nmetrics: {reward/mean: reward}", logs)
    told = "seed 1: a-s1 counts, not b-s1 (finished runs before others, then the first by name)"
    assert any(told in note for note in made(runs, mapping=file).notes)


@pytest.mark.parametrize(("last", "seconds"), [(None, 3.5), ("n/a", 3.5), ("4.5", 4.5), ([1], 3.5)])
def test_seconds_are_the_last_number_of_their_column(tmp_path: Path, last: Any, seconds: float) -> None:
    rows = [{"step": 1, "reward": 0.5, "runtime": 3.5}, {"step": 2, "reward": 0.5, "runtime": last}]
    runs, file = write_logs(tmp_path, "seconds: runtime", {"mine-s1": rows})
    [trial] = gather_runs([runs], file).trials
    assert trial.run.summary == {"seconds": seconds}


def test_a_column_of_seconds_without_a_number_is_said(tmp_path: Path) -> None:
    rows = [{"step": 1, "reward": 0.5, "runtime": "n/a"}]
    runs, file = write_logs(tmp_path, "seconds: runtime", {"mine-s1": rows})
    assert "mine-s1: no row has a number of seconds in runtime ('n/a')." in gather_runs([runs], file).notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metrics: {reward/mean: 3}", "the metric reward/mean is named 3"),
        ("metrics: {reward/mean: null}", "the metric reward/mean is named nothing"),
        ("metrics: {reward/mean: [reward, 3]}", "the metric reward/mean is named"),
        ("metrics: {3: reward}", "3 is no name of a metric"),
        ("patterns: {3: eval/pass@1}", "3 is no pattern"),
        ("patterns: {'val.*': 3}", r"the pattern val\.\* stands for 3"),
        ("step: [iter]", "step is .*, not a text"),
        ("seconds:", "seconds is nothing, not a text"),
        ("path: 3", "path is 3, not a text"),
        ("planned: [3]", "planned is .*, neither a number nor a key"),
        ("planned: .inf", "planned is inf, neither a number nor a key"),
        ("settings: {seed: {column: [a]}}", "cannot read the setting seed"),
        ("{3: a, file: b}", "has no key 3"),
    ],
)
def test_a_mapping_of_wrong_types_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        gather_runs([tmp_path], path)


def test_a_step_column_that_the_mapping_names_is_no_missing_one(tmp_path: Path) -> None:
    (tmp_path / "mine-s1").mkdir()
    (tmp_path / "mine-s1" / "log.csv").write_text("iter,reward\n5,0.5\n10,0.6\n")
    (tmp_path / "mapping.yaml").write_text("file: log.csv\nstep: iter\n")
    found = gather_runs([tmp_path / "mine-s1" / "log.csv"], tmp_path / "mapping.yaml")
    assert [row["step"] for row in found.trials[0].run.steps] == [5, 10]
    assert not any("numbered" in note for note in found.notes)
