"""A training step of one side on one subject, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu import model_process, part_process
from benchmarks.gpu.limits import decode_bytes, generation_flops, update_flops
from benchmarks.gpu.part_process import STATUS, Ended
from benchmarks.gpu.subjects import Subject
from benchmarks.harness.child_process import FOLDER, surroundings
from benchmarks.harness.record import Fields, Row, number, text
from benchmarks.peers.environment import version
from benchmarks.workload.step_process import FIELDS as STEP
from benchmarks.workload.step_process import SIDES, arguments, row_of, sizes_of
from tvo_cli import __version__

NEEDS = {"tvo": (), "trl": ("trl", "datasets"), "trl+vllm": ("trl", "datasets", "vllm")}
CAPS = {"tvo": 100.0, "trl": 120.0, "trl+vllm": 180.0}  # seconds; vLLM compiles first
FIELDS: Fields = {
    "shape": text("the model"),
    "side": text("tvo | trl | trl+vllm, the trainer and what samples for it"),
    "precision": text("bfloat16 (autocast) | float32, of forward, backward and decoding; the weights are float32"),
    **STATUS,
    **{name: field for name, field in STEP.items() if name != "side"},
    "parameters": number("weights that every token is multiplied by", "1"),
    "generation_flops": number("operations that a step's responses take, see limits.py", "1"),
    "update_flops": number("operations that a step's updates take, see limits.py", "1"),
    "decode_bytes": number("weights, keys and values that a step's decoding reads, see limits.py", "bytes"),
}


@dataclass(frozen=True)
class How:
    """What all steps have in common."""

    device: str
    steps: int
    warm_up: int
    micro_batch: int
    trl_python: str

    @property
    def clock(self) -> str:
        """That waits for the GPU."""
        return "gpu" if self.device == "cuda" else "wall"


def measured(subject: Subject, side: str, precision: str, how: How, seconds: float) -> Row:
    """The row, without its key."""
    python = how.trl_python if side != "tvo" and how.trl_python else sys.executable
    if lacking := [package for package in NEEDS[side] if not _is_installed(python, package)]:
        return row(subject, precision, {"status": "not installed", "detail": ", ".join(lacking)}, {})
    end = time.monotonic() + seconds
    built = write_model(subject, how, seconds)
    if built is not None and built.status != "measured":
        return row(subject, precision, {"status": built.status, "detail": f"writing the model: {built.detail}"}, {})
    words = words_of(side, precision, how)
    sizes: dict[str, Any] = {"steps": how.steps, "warm_up": how.warm_up, "clock": how.clock}
    given = arguments(subject.work, FOLDER / "gpu" / subject.name, words, **sizes)
    ended = part_process.run(SIDES[side.partition("+")[0]], given, end - time.monotonic(), python)
    return row(subject, precision, *found_in(ended, how.warm_up)) | {"version": _version(side, python)}


def write_model(subject: Subject, how: How, seconds: float) -> Ended | None:
    """Model and problems of a subject; None where they are there already."""
    folder, rollouts = FOLDER / "gpu" / subject.name, how.steps + how.warm_up + 1
    if model_process.is_written(folder, subject.work, rollouts, subject.source):
        return None
    words = [str(folder), "--work", subject.work.as_json(), "--device", how.device, "--rollouts", str(rollouts)]
    words += ["--source", str(subject.source.resolve())] if subject.source else []
    return part_process.run("benchmarks.gpu.model_process", words, seconds)


def words_of(side: str, precision: str, how: How) -> list[str]:
    """What a side is told beyond its work."""
    if side == "tvo":
        chosen = {"device": how.device, "precision": precision, "old_logp": "auto", "microbatch_rows": how.micro_batch}
        return ["model.prompt.template=plain", *(f"trainer.{name}={value}" for name, value in chosen.items())]
    words = ["--micro-batch", str(how.micro_batch), "--precision", precision]
    return [*words, "--vllm"] if side == "trl+vllm" else words


def found_in(ended: Ended, warm_up: int) -> tuple[dict[str, str], Row]:
    """Outcome, and what was printed at the end; of a process that ended early what it printed step by step."""
    if ended.status == "measured":
        return ended.outcome, row_of(ended.lines[-1])
    steps = [line for line in ended.lines if "row" in line][warm_up:]
    if not steps:
        return ended.outcome, {}
    outcome = {"status": "in part", "detail": f"{len(steps)} steps, then {ended.status}: {ended.detail}"}
    return outcome, row_of({"rows": [line["row"] for line in steps], "gpu_mb": steps[-1]["gpu_mb"]})


def row(subject: Subject, precision: str, outcome: dict[str, str], found: Row) -> Row:
    """What was found, and what is known beforehand."""
    needed = {
        "work": sizes_of(subject.work),
        "parameters": subject.sizes.parameters,
        "generation_flops": generation_flops(subject.sizes, subject.work),
        "update_flops": update_flops(subject.sizes, subject.work),
        "decode_bytes": decode_bytes(subject.sizes, subject.work, precision),
    }
    readings = {name: value for name, value in found.get("readings", {}).items() if value is not None}
    return needed | found | {"readings": readings} | outcome


def _is_installed(python: str, package: str) -> bool:
    code = f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"
    found = subprocess.run([python, "-c", code], capture_output=True, env=surroundings(python), check=False)
    return found.returncode == 0


def _version(side: str, python: str) -> str:
    if side == "tvo":  # also where the checkout is not installed
        return __version__
    return ", ".join(version(python, name) for name in side.split("+"))
