"""The whole of `benchmarks.gpu` with processes that answer at once: order, rows, tables, going on."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.gpu import kernels, model_process, part_process, plan, steps
from benchmarks.gpu.benchmark import BENCHMARK
from benchmarks.gpu.chosen import QUICK, Chosen
from benchmarks.gpu.part_process import Ended
from benchmarks.gpu.subjects import random_subject
from benchmarks.harness.command_line import run
from benchmarks.harness.record import Row, read
from tests.benchmarks.gpu.test_steps import ALL, LAST


class Processes:
    """What was started, and answers without starting it."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.kernels = iter(range(1, 100))

    def run(self, module: str, words: Sequence[str], seconds: float, python: str = sys.executable) -> Ended:
        self.commands.append([python, module, *words])
        return Ended([self.answer(module)], 0, "", seconds)

    def answer(self, module: str) -> dict[str, Any]:
        if module.endswith("device_process"):
            return {"name": "NVIDIA H200", "memory_mb": 1.0, "copy_bandwidth": 4e12, "product_flops": 8e14}
        if module.endswith("kernel_process"):
            errors = dict.fromkeys(("logp_error", "logp_error_max", "hidden_gradient_error"), 1e-3)
            took = 10.0 / next(self.kernels)
            return errors | {"weight_gradient_error": 1e-3, "forward_ms": [took], "backward_ms": [1.0], "extra_mb": 9.0}
        return ALL | ({"rows": [LAST | {"step": 6.0}]} if module.endswith("trl_step") else {})


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    found = Processes()
    monkeypatch.setattr(part_process, "run", found.run)
    monkeypatch.setattr(steps, "_is_installed", lambda python, package: package != "vllm")
    monkeypatch.setattr(model_process, "is_written", lambda *_: False)
    monkeypatch.setattr(steps, "version", lambda python, package: "1.16.0")
    monkeypatch.setattr(plan, "is_installed", lambda kernel: kernel.package != "liger_kernel")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    return found


def measured(folder: Path, *words: str) -> list[tuple[str, Row]]:
    path = folder / "gpu.json"
    assert run(BENCHMARK, ["--out", str(path), *words]) == 0
    return [(name, row) for name in ("device", "steps", "kernels") for row in read(path).rows(name)]


def test_the_whole_in_order_of_worth(processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = measured(tmp_path, "--trl-python", sys.executable)
    lines = [json.loads(line) for line in (tmp_path / "gpu.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(map(str, lines)) == sorted(str({"table": name} | row) for name, row in rows)
    order = [(line["table"], line.get("shape"), line.get("side"), line.get("precision")) for line in lines]
    half, more, small, number = "qwen2-0.5b", "qwen2-1.5b", "smollm2-135m", len(kernels.KERNELS)
    assert order[:3] == [("device", None, None, None)] + [("steps", half, side, "bfloat16") for side in ("tvo", "trl")]
    assert order[3 : 3 + number] == [("kernels", half, None, None)] * number
    assert order[3 + number :] == [
        *(("steps", shape, side, "bfloat16") for shape in (more, small) for side in ("tvo", "trl")),
        *(("steps", shape, "trl+vllm", "bfloat16") for shape in (half, more, small)),
        *(("steps", shape, "tvo", "float32") for shape in (half, more, small)),
        *[("kernels", more, None, None)] * number,
    ]
    printed = capsys.readouterr().out
    assert "- qwen2-0.5b: step, trl ÷ tvo: 2.00; peak memory, tvo ÷ trl: 1.00" in printed
    assert "- qwen2-0.5b: step, float32 ÷ bfloat16: 1.00; peak memory, bfloat16 ÷ float32: 1.00" in printed
    assert "- steps qwen2-1.5b, trl+vllm, bfloat16: not installed (vllm)" in printed
    assert "- kernels qwen2-0.5b, Liger: not installed (liger_kernel)" in printed


def test_what_the_sides_are_told(processes: Processes, tmp_path: Path) -> None:
    measured(tmp_path, "--shapes", "qwen2-0.5b", "--parts", "steps", "--trl-python", sys.executable)
    built, ours, _, theirs = processes.commands[:4]
    assert built[1] == "benchmarks.gpu.model_process" and built[-2:] == ["--rollouts", "4"]
    assert {"trainer.device=cuda", "trainer.precision=bfloat16", "trainer.microbatch_rows=16"} < set(ours)
    assert theirs[1] == "benchmarks.peers.trl_step"
    assert theirs[-4:] == ["--micro-batch", "16", "--precision", "bfloat16"]
    assert ours[ours.index("--clock") + 1] == theirs[theirs.index("--clock") + 1] == "gpu"
    assert ours[ours.index("--work") + 1] == theirs[theirs.index("--work") + 1]
    assert "trainer.precision=float32" in processes.commands[-1]
    how = steps.How("cuda", 1, 1, 16, "")
    assert steps.words_of("trl+vllm", "bfloat16", how)[-1] == "--vllm"


def test_shares_of_the_device_s_limits(
    processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--shapes", "smollm2-135m", "--parts", "device", "steps")
    [_, (_, row), *_] = measured(tmp_path, *words)
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    line = dict(zip(printed[0].split(" | "), printed[2].split(" | "), strict=True))
    assert row["parameters"] == 134_515_008 and row["generation"] == [2.0, 2.0]
    assert line["MFU update"] == f"{100 * row['update_flops'] / 1.0 / 989e12:.3g}%"
    assert line["MFU step"] == f"{100 * (row['update_flops'] + row['generation_flops']) / 3.0 / 989e12:.3g}%"
    assert line["decoding GB/s"] == f"{row['decode_bytes'] / 2.0 / 1e9:.4g}"
    assert line["of stated"] == f"{100 * row['decode_bytes'] / 2.0 / 4.8e12:.3g}%"
    assert line["of a copy"] == f"{100 * row['decode_bytes'] / 2.0 / 4e12:.3g}%"
    assert (line["forward + backward"], line["optimiser"], line["response tokens/s"]) == ("0.750", "0.250", "333")


def test_limits_of_the_command_line_come_before_the_stated_ones(
    processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [(_, row)] = measured(tmp_path, "--parts", "device", "--peak-flops", "5e14", "--peak-bandwidth", "2e12")
    assert "NVIDIA H200; limits: 500 TFLOP/s in bfloat16, 2000 GB/s; measured: " in capsys.readouterr().out
    assert row["copy_bandwidth"] == 4e12


def test_an_unknown_device_has_no_utilisation(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some Device")
    measured(tmp_path, "--parts", "steps", "--shapes", "tiny")
    printed = capsys.readouterr().out
    assert "Some Device; unknown device: " in printed and "| 333 | – | – | " in printed


def test_rows_are_on_disk_before_the_next_part_begins_and_a_stop_keeps_them(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole, seen = tmp_path / "gpu.json", processes.run, list[int]()

    def interrupted(module: str, *rest: Any) -> Ended:
        if module.endswith("trl_step"):
            seen.extend((len(read(path).rows("steps")), (tmp_path / "gpu.jsonl").read_text().count("\n")))
            raise KeyboardInterrupt
        return whole(module, *rest)

    monkeypatch.setattr(part_process, "run", interrupted)
    words = ["--out", str(path), "--parts", "device", "steps", "--shapes", "tiny"]
    with pytest.raises(KeyboardInterrupt):
        run(BENCHMARK, words)
    assert seen == [1, 2] and read(path).ended is None
    monkeypatch.setattr(part_process, "run", whole)
    before = len(processes.commands)
    assert run(BENCHMARK, [*words, "--minutes", "3"]) == 0, "other minutes are no other measurement"
    assert [command[1].split(".")[-1] for command in processes.commands[before:]] == [
        *("model_process", "trl_step"), *("model_process", "tvo_step"),
    ]  # fmt: skip
    assert read(path).ended and len(read(path).rows("steps")) == 4


def test_a_start_without_time_says_so_and_another_goes_on_elsewhere(
    processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    words = ["--parts", "device", "steps", "--shapes", "tiny"]
    assert run(BENCHMARK, [*words, "--minutes", "0.1", "--out", str(first)]) == 0
    said = capsys.readouterr()
    assert "minutes of this start are over; the same command goes on" in said.err
    assert not first.exists() and processes.commands == []
    with pytest.raises(SystemExit):
        run(BENCHMARK, [*words, "--resume", str(first), "--out", str(second)])
    assert "--resume: " in capsys.readouterr().err


def test_a_record_goes_on_in_another_folder(processes: Processes, tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    words = ["--parts", "device", "steps", "--shapes", "tiny"]
    run(BENCHMARK, [*words, "--out", str(first)])
    record = json.loads(first.read_text(encoding="utf-8"))
    record["ended"], record["tables"]["steps"]["rows"] = None, record["tables"]["steps"]["rows"][:2]
    first.write_text(json.dumps(record), encoding="utf-8")
    before = len(processes.commands)
    run(BENCHMARK, [*words, "--resume", str(first), "--out", str(second)])
    assert [command[1] for command in processes.commands[before:]][-1] == "benchmarks.workload.tvo_step"
    assert len(read(second).rows("steps")) == 4 and len(read(first).rows("steps")) == 2
    assert (tmp_path / "second.jsonl").read_text(encoding="utf-8").count("\n") == 5, "the kept rows too"


def test_without_a_gpu_the_benchmark_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run(BENCHMARK, ["--out", str(tmp_path / "gpu.json")]) == 0
    said = capsys.readouterr().out
    assert "skipped: there is no GPU" in said and "--quick --device cpu" in said and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--models", "no/such/folder"], "--models: "),
        (["--trl-python", "no-such-python"], "--trl-python: "),
        (["--micro-batch", "7"], "16 prompts × 8 samples are not a multiple of 7"),
        (["--shapes", "tiny", "tiny"], "--shapes, --models: tiny twice"),
        (["--minutes", "0"], "--minutes: "),
    ],
)
def test_a_wrong_setting_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(BENCHMARK, words)
    assert stopped.value.code == 2 and said in capsys.readouterr().err


def test_quick_is_tiny() -> None:
    quick = Chosen(**QUICK)
    assert quick.shapes == ("tiny",) and quick.prompts * quick.samples % quick.micro_batch == 0
    assert [part.key["kernel"] for part in plan.parts(quick) if part.table == "kernels"] == list(kernels.KERNELS)


def test_a_kernel_whose_error_is_not_a_number_has_failed(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = processes.answer("kernel_process") | {"logp_error": None}
    monkeypatch.setattr(processes, "answer", lambda module: found)
    rows = measured(tmp_path, "--parts", "kernels", "--shapes", "tiny")
    assert {(row["status"], row["detail"]) for _, row in rows} == {
        ("failed", "not a number: logp_error"), ("not installed", "liger_kernel"),
    }  # fmt: skip


def test_writing_the_model_takes_of_the_part_s_time(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    whole = processes.run

    def timed(module: str, words: Sequence[str], seconds: float, *rest: Any) -> Ended:
        given.append(seconds)
        return whole(module, words, seconds, *rest)

    monkeypatch.setattr(part_process, "run", timed)
    monkeypatch.setattr(steps, "time", SimpleNamespace(monotonic=iter([0.0, 30.0]).__next__))
    subject = random_subject("tiny", prompts=1, samples=1, prompt_tokens=1, new_tokens=1)
    how = steps.How("cpu", 1, 1, 1, "")
    assert steps.measured(subject, "tvo", "float32", how, 100.0)["status"] == "measured" and given == [100.0, 70.0]
    monkeypatch.setattr(model_process, "is_written", lambda *_: True)
    monkeypatch.setattr(steps, "time", SimpleNamespace(monotonic=iter([0.0, 0.0]).__next__))
    steps.measured(subject, "tvo", "float32", how, 100.0)
    assert given[2:] == [100.0] and processes.commands[-1][1] == "benchmarks.workload.tvo_step"
