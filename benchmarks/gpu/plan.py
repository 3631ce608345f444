"""The parts of a run in order of worth, each with its time and what it measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.gpu import part_process, steps
from benchmarks.gpu.budget import Budget
from benchmarks.gpu.chosen import Chosen
from benchmarks.gpu.kernels import KERNELS, is_installed
from benchmarks.gpu.part_process import STATUS
from benchmarks.gpu.subjects import Subject, random_subject, real_subject
from benchmarks.harness.benchmark import Measurement, Unfinished
from benchmarks.harness.record import Fields, Row, number, numbers, text

DEVICE_CAP, KERNEL_CAP = 40.0, 60.0  # seconds; some kernels compile and tune themselves first
WIDE = 100_000  # words from which a vocabulary is worth a choice of kernel
DEVICE: Fields = {
    "device": text("cuda | cpu"),
    **STATUS,
    "name": text("torch's name of it"),
    "memory_mb": number("its memory", "MiB"),
    "copy_bandwidth": number("bytes that a copy on the device reads and writes, measured", "bytes/s"),
    "product_flops": number("a square bfloat16 product of drawn numbers, measured", "1/s"),
}
KERNEL: Fields = {
    "shape": text("the model whose head it is"),
    "kernel": text("what gives log π"),
    "dtype": text("of states and weight"),
    **STATUS,
    "also": text("what it gives besides log π"),
    "tokens": number("response tokens", "tokens"),
    "hidden": number("width of a state", "1"),
    "vocabulary": number("words", "1"),
    "forward_ms": numbers("each repetition", "ms"),
    "backward_ms": numbers("each repetition", "ms"),
    "extra_mb": number("memory at most, over inputs; gradients included", "MiB"),
    "logp_error": number("mean error of log π against float32", "nats"),
    "logp_error_max": number("largest", "nats"),
    "hidden_gradient_error": number("‖found − float32‖ / ‖float32‖ of the gradient by the states", "1"),
    "weight_gradient_error": number("the same by the weight", "1"),
}

TABLES = {"device": DEVICE, "steps": steps.FIELDS, "kernels": KERNEL}


@dataclass(frozen=True)
class Part:
    """A row to be measured."""

    table: str
    key: Row
    cap: float  # seconds that it may take
    measure: Callable[[float], Row]  # given its seconds, the fields that it finds, the status among them

    def within(self, budget: Budget, slack: float = 1.0) -> Row:
        """The row without its key; Unfinished where it was not its own time that was too short."""
        cap = slack * self.cap
        seconds = budget.grant(cap)
        try:
            found = self.measure(seconds)
        except Exception as problem:  # whatever it is, the other rows are worth having
            found = {"status": "failed", "detail": repr(problem)[:300]}
        if found["status"] == "timed out" and seconds < cap:
            raise Unfinished("the minutes of this start are over")
        return part_process.empty_row(TABLES[self.table], self.key) | found


def measurements(chosen: Chosen, begun: float | None) -> Iterator[Measurement]:
    """The parts as the harness takes them, within the minutes of a start that began at `begun`."""
    budget = Budget(chosen.minutes, begun)
    for part in parts(chosen):
        yield Measurement(part.table, part.key, partial(part.within, budget, chosen.slack))


def parts(chosen: Chosen) -> Iterator[Part]:
    """All that is asked for, in order of worth."""
    subjects = list(subjects_of(chosen))
    if "device" in chosen.parts:
        yield Part("device", {"device": chosen.device}, DEVICE_CAP, partial(_device, chosen.device))
    for subject in subjects:
        yield from _steps(subject, chosen, ("tvo", "trl"), "bfloat16")
        if subject is subjects[0]:
            yield from _kernels(_with_wide_heads(subjects)[:1], chosen)
    for sides, precision in ((("trl+vllm",), "bfloat16"), (("tvo",), "float32")):
        for subject in subjects:
            yield from _steps(subject, chosen, sides, precision)
    yield from _kernels(_with_wide_heads(subjects)[1:], chosen)


def subjects_of(chosen: Chosen) -> Iterator[Subject]:
    """Random models, then real ones."""
    amounts = {name: getattr(chosen, name) for name in ("prompts", "samples", "prompt_tokens", "new_tokens")}
    yield from (random_subject(shape, **amounts) for shape in chosen.shapes)
    yield from (real_subject(Path(folder), **amounts) for folder in chosen.models)


def _with_wide_heads(subjects: list[Subject]) -> list[Subject]:
    """One subject of each size of head: the wide ones, all where none is."""
    heads = {(one.work.hidden, one.work.vocabulary): one for one in reversed(subjects)}
    found = list(reversed(heads.values()))
    return [one for one in found if one.work.vocabulary >= WIDE] or found


def _steps(subject: Subject, chosen: Chosen, sides: tuple[str, ...], precision: str) -> Iterator[Part]:
    if "steps" not in chosen.parts:
        return
    how = steps.How(chosen.device, chosen.steps, chosen.warm_up, chosen.micro_batch, chosen.trl_python)
    for side in sides:
        key = {"shape": subject.name, "side": side, "precision": precision}
        yield Part("steps", key, steps.CAPS[side], partial(steps.measured, subject, side, precision, how))


def _kernels(subjects: list[Subject], chosen: Chosen) -> Iterator[Part]:
    if "kernels" not in chosen.parts:
        return
    for subject in subjects:
        for name in KERNELS:
            key = {"shape": subject.name, "kernel": name, "dtype": "bfloat16"}
            yield Part("kernels", key, KERNEL_CAP, partial(_kernel, subject, name, chosen))


def _device(device: str, seconds: float) -> Row:
    ended = part_process.run("benchmarks.gpu.device_process", ["--device", device], seconds)
    return (ended.lines[-1] if ended.status == "measured" else {}) | ended.outcome


def _kernel(subject: Subject, name: str, chosen: Chosen, seconds: float) -> Row:
    sizes = {"tokens": chosen.kernel_tokens, "hidden": subject.work.hidden, "vocabulary": subject.work.vocabulary}
    row: Row = sizes | {"also": KERNELS[name].also}
    if not is_installed(KERNELS[name]):
        return row | {"status": "not installed", "detail": KERNELS[name].package}
    words = [word for size, value in sizes.items() for word in (f"--{size}", str(value))]
    words = [name, "--device", chosen.device, "--repeats", str(chosen.kernel_repeats), *words]
    ended = part_process.run("benchmarks.gpu.kernel_process", words, seconds)
    if ended.status != "measured":
        return row | ended.outcome
    found = ended.lines[-1]
    if wrong := [field for field, value in found.items() if value is None]:
        return row | {"status": "failed", "detail": f"not a number: {', '.join(wrong)}"}
    return row | found | ended.outcome
