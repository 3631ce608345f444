"""`tvo sft`, from a file of one's own to a model that reinforcement learning starts from."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator
from safetensors.torch import load_file

from tests.training.conftest import train_in
from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment.run_sft import sft, write_sft_record
from tvo_cli.file_digest import file_sha256
from tvo_cli.model.base_model_card import read_base_card_head
from tvo_cli.runs.own_run_folders import planned_fine_tuning
from tvo_cli.training.device_and_precision import accelerate_state_kept
from tvo_cli.training.sft import supervised_fine_tuning
from tvo_cli.training.stop_signals import Interrupted

READS = ("dataset.suffix=", "dataset.max_tokens=12", "samples=2", "problems=40")


def sums(file: Path, *, most: int = 16, answered: bool = True) -> Path:
    """Sums of three in the words of the embedded model, each worked."""
    numbers = ((a, b, c) for a in range(most) for b in range(most - a) for c in range(most - a - b))
    rows = []
    for a, b, c in numbers:
        answer = f"\\boxed{{ {a + b + c} }}" if answered else f"{a + b + c}"
        question = {"role": "user", "content": f"{a} + {b} + {c} ="}
        reply = {"role": "assistant", "content": f"first {a + b} then {a + b + c} {answer}"}
        rows.append({"messages": [question, reply]})
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def unlike(*lengths: int) -> list[dict[str, str]]:
    """Rows whose replies have so many words, and no answer."""
    return [{"prompt": f"1 + {n} =", "completion": " ".join(["2"] * length)} for n, length in enumerate(lengths)]


def tuned(folder: Path, *words: str) -> dict[str, Any]:
    """Fine-tune in a folder; what sft.json says."""
    return sft(config.compose([*words, f"output_dir={folder}"], "sft"))


def metric_rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_the_folder_has_a_card_and_a_record(tmp_path: Path) -> None:
    found = tuned(tmp_path, "dataset=addition", "steps=2", "rows=4", "problems=2", "samples=1")
    assert read_base_card_head(tmp_path)["tags"] == ["tvo", "sft"]
    assert "Training steps: 2\n" in (tmp_path / "README.md").read_text()
    assert found["sha256"] == file_sha256(tmp_path / "model.safetensors")
    assert json.loads((tmp_path / "sft.json").read_text()) == found
    assert [row["step"] for row in metric_rows(tmp_path)] == [0, 1, 2, 2]
    last = {name: value for name, value in found.items() if name.startswith("eval/")}
    assert metric_rows(tmp_path)[-1] == {"step": 2, **last} and len(last) > 1
    assert found["before"]["loss"] == metric_rows(tmp_path)[0]["eval/loss"] > found["eval/loss"]
    with pytest.raises(UserError, match="no weights"):
        write_sft_record(tmp_path / "nowhere", {})


@pytest.mark.slow
def test_a_base_model_that_scores_nothing_on_ones_own_data_gets_a_start(tmp_path: Path) -> None:
    data = ("dataset=jsonl", f"dataset.path={sums(tmp_path / 'sums.jsonl')}")
    found = tuned(tmp_path / "start", *data, *READS, "epochs=8")
    assert found["before"]["pass@1"] == 0.0 and found["before"]["loss"] > 3.0
    assert 0.2 < found["eval/pass@1"] < 1.0 and found["eval/loss"] < 0.6
    start = (f"model.path={tmp_path / 'start'}", "model.lr_scale=1.0", "dataset.suffix=", "dataset.max_tokens=12")
    folder = train_in(tmp_path / "run", (*data, *start, "trainer.steps=6", "rollout.samples=4", "evaluation=quick"))
    steps = [row for row in metric_rows(folder) if "reward/mean" in row]
    assert steps[0]["accuracy/fresh"] > 0.2, "reinforcement learning has something to begin with"


@pytest.mark.slow
def test_stopped_at_every_update_it_ends_in_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("dataset=jsonl", f"dataset.path={sums(tmp_path / 'sums.jsonl', most=5)}", *READS, "steps=5", "rows=8")
    whole = tuned(tmp_path / "whole", *words)
    update, stops = supervised_fine_tuning.FineTuning._update, 0

    def stopping(tuning: supervised_fine_tuning.FineTuning) -> supervised_fine_tuning.SFTUpdate:
        signal.raise_signal(signal.SIGTERM)
        return update(tuning)

    monkeypatch.setattr(supervised_fine_tuning.FineTuning, "_update", stopping)
    for _ in range(8):
        try:
            cut = tuned(tmp_path / "cut", *words)
            break
        except Interrupted as stopped:
            stops += 1
            assert stopped.signal == signal.SIGTERM and not (tmp_path / "cut" / "sft.json").exists()
    assert stops >= 4 and cut == whole
    assert metric_rows(tmp_path / "cut") == metric_rows(tmp_path / "whole")
    assert list((tmp_path / "cut" / "resume").glob("step-*")) == []  # nothing needs them any more


@pytest.mark.slow
def test_another_command_or_other_data_in_the_same_folder_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = sums(tmp_path / "sums.jsonl", most=5)
    words = ("dataset=jsonl", f"dataset.path={file}", *READS, "steps=2", "rows=8", "checkpoint_every=1")
    folder = tmp_path / "own"
    done = tuned(folder, *words)
    assert tuned(folder, *words) == done and "is done already" in caplog.text
    with pytest.raises(UserError, match=r"holds a run with other settings: lr=0.01 \(recorded: auto\)"):
        tuned(folder, *words, "lr=1e-2")
    begun = tmp_path / "begun"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="plug"):
        patch.setattr("tvo_cli.experiment.run_sft._finish", _pull_the_plug)
        tuned(begun, *words)
    sums(file, most=6)
    with pytest.raises(UserError, match=r"gives other rows than the fine-tuning was begun with"):
        tuned(begun, *words)
    assert tuned(begun, *words, "resume=never")["rows"] == 51


def test_another_precision_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """One that an earlier version began has no precision on record: it goes on."""
    words = ("dataset=addition", "steps=1", "rows=2", "problems=0")
    done = tuned(tmp_path, *words, "precision=bfloat16")
    assert done["precision"] == "bfloat16"
    record = tmp_path / "resume" / "experiment.json"
    settings = json.loads(record.read_text())
    assert settings["precision"] == "bfloat16"
    with pytest.raises(UserError, match=r"other settings: precision=float32 \(recorded: bfloat16\)"):
        tuned(tmp_path, *words)
    assert tuned(tmp_path, *words, "resume.allow=[precision]") == done
    record.write_text(json.dumps({name: value for name, value in settings.items() if name != "precision"}))
    assert tuned(tmp_path, *words) == done


def test_the_precision_is_its_own_whatever_the_process_has_trained_in_and_the_callers_stays(tmp_path: Path) -> None:
    with accelerate_state_kept():
        assert Accelerator(cpu=True).mixed_precision == "no"
        words = ("dataset=addition", "steps=1", "rows=2", "problems=0", "precision=bfloat16")
        assert tuned(tmp_path, *words)["precision"] == "bfloat16"
        assert Accelerator(cpu=True).mixed_precision == "no"


@pytest.mark.slow
def test_one_that_was_killed_after_its_last_evaluation_has_it_once(tmp_path: Path) -> None:
    words = ("dataset=addition", "steps=2", "rows=4", "problems=2", "samples=1")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError, match="plug"):
        patch.setattr("tvo_cli.experiment.run_sft._finish", _pull_the_plug)
        tuned(tmp_path, *words)
    assert [row["step"] for row in metric_rows(tmp_path)] == [0, 1, 2, 2]
    assert planned_fine_tuning(tmp_path) == 2, "what is under way says how many steps it is to have"
    tuned(tmp_path, *words)
    assert [row["step"] for row in metric_rows(tmp_path)] == [0, 1, 2, 2]


@pytest.mark.slow
def test_the_scorer_that_judged_is_kept_with_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("judge.py").write_text("def yes(responses):\n    return [True for _ in responses]\n")
    words = ("dataset=jsonl", f"dataset.path={sums(tmp_path / 'sums.jsonl', most=5)}", *READS, "steps=1", "rows=8")
    tuned(tmp_path / "own", *words, "reward.scorer=judge.py:yes")
    [kept] = (tmp_path / "own" / "own_code").glob("judge-*/judge.py")
    assert kept.read_bytes() == Path("judge.py").read_bytes()


def _pull_the_plug(*_: Any) -> None:
    raise RuntimeError("the plug was pulled")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_an_adapter_is_merged_and_kept_beside_the_model(tmp_path: Path, kind: str) -> None:
    file = sums(tmp_path / "sums.jsonl", most=6)
    words = ("dataset=jsonl", f"dataset.path={file}", *READS, "steps=30", "rows=16", "model=tiny", f"adapter={kind}")
    found = tuned(tmp_path / "own", *words)
    assert found["eval/loss"] < found["before"]["loss"]
    held = load_file(tmp_path / "own" / "adapter" / "adapter_model.safetensors")
    assert all("lora_" in name for name in held)
    merged = load_file(tmp_path / "own" / "model.safetensors")
    assert not any("lora_" in name for name in merged)
    start = (f"model.path={tmp_path / 'own'}", "dataset.suffix=", "dataset.max_tokens=12", "trainer.steps=1")
    train_in(tmp_path / "run", ("dataset=jsonl", f"dataset.path={file}", *start))


@pytest.mark.slow
def test_rows_of_unlike_length_are_packed_and_learn_the_same(tmp_path: Path, capture: Callable[[], list[str]]) -> None:
    rows = unlike(1, 30, 2, 1, 12, 3, 1, 2, 25, 2, 1, 4)
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    words = ("dataset=jsonl", f"dataset.path={file}", "dataset.suffix=", "dataset.holdout=2", "epochs=4", "rows=5")
    found = {packing: tuned(tmp_path / packing, *words, f"packing={packing}") for packing in ("auto", "false")}
    assert (found["auto"]["packed"], found["false"]["packed"]) == (True, False)
    losses = [[row["sft/loss"] for row in metric_rows(tmp_path / name) if "sft/loss" in row] for name in found]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert "eval/pass@1" not in found["auto"]  # no row states an answer
    assert "no held-out row states an answer" in " ".join(capture())


@pytest.fixture
def capture(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The messages so far."""
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.slow
def test_what_does_not_fit_is_refused_or_counted(tmp_path: Path) -> None:
    rows = unlike(1, 2, 1, 2, 1, 2, 40)
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    words = (
        "dataset=jsonl",
        f"dataset.path={file}",
        "dataset.suffix=",
        "dataset.holdout=0",
        "max_length=20",
        "steps=1",
    )
    with pytest.raises(UserError, match=r"^too_long=refuse: mine/7 has 46 tokens with its reply, and 20 fit"):
        tuned(tmp_path / "a", *words)
    found = tuned(tmp_path / "b", *words, "too_long=skip")
    assert (found["rows"], found["too_long"]) == (6, 1) and "eval/loss" not in found
    with pytest.raises(UserError, match=r"^max_length=5000: is more than the model's context of \d+"):
        tuned(tmp_path / "c", *words, "max_length=5000")
