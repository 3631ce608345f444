"""Where the seconds of one step go: operations by kind and by part of the step, and what lies outside them.

Knows torch, not tvo_cli: both sides of a benchmark use it. Operations are counted by the time that they themselves
take; the rest of a part is Python, the network's own code and, in a profiled step, the profiler.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch

from benchmarks.workload.stopwatch import Stopwatch

PART = "part of a step: "  # what the ranges of the parts are called among the operations
HEAD, OTHER, OUTSIDE = "output head", "other operations", "outside operations"
KINDS = {  # the first that matches an operation's name
    "linear maps": r"aten::(mm|addmm|linear|mkldnn_linear)$",
    "attention products": r"aten::(bmm|baddbmm|_scaled_dot_product.*|_flash_attention.*)$",
    "softmax": r"aten::(_?(log_)?softmax.*|_(log_)?softmax_backward_data|logsumexp)$",
    "sampling": r"aten::(sort|topk|cumsum|searchsorted|multinomial|uniform_|rand.*)$",
    "copies": r"aten::(copy_|_to_copy|cat|index.*|gather|scatter.*|embedding.*|slice_backward|masked_.*|constant_pad_nd"
    r"|clone|contiguous|repeat.*|stack)$",
    "memory": r"aten::(empty.*|fill_|zero_|zeros.*|ones.*|resize_.*|new_.*)$",
    "sums and products by element": r"aten::(mul|add|sub|rsub|div|neg|pow|rsqrt|sqrt|mean|sum|exp|log|silu|sigmoid|tanh"
    r"|silu_backward|where|clamp.*|maximum|minimum|max|min|le|lt|ge|gt|eq|ne|isin.*|abs|square|reciprocal|cos|sin)_?$",
}
COLUMNS = {"generation": "generation", "update": "update", "training": "update", "forward": "update"}
REST = "other parts"
Range = tuple[float, float, str]  # begin and end in µs, name


class Operation(NamedTuple):
    """One call, as the profiler tells of it."""

    name: str
    shapes: Sequence[Sequence[int]]
    begin: float  # µs
    seconds: float  # in its own code


def kind_of(operation: Operation, vocabulary: int) -> str:
    """Which row of the table it belongs to."""
    for kind, pattern in KINDS.items():
        if re.match(pattern, operation.name):
            is_head = kind == "linear maps" and any(vocabulary in shape for shape in operation.shapes)
            return HEAD if is_head else kind
    return OTHER


def seconds_by_kind(
    operations: Iterable[Operation], ranges: Sequence[Range], whole: float, vocabulary: int
) -> dict[str, float]:
    """`part/kind` → seconds, `part` the innermost range around an operation.

    `part/outside operations` is what the ranges' own seconds leave; `whole`: seconds of the step.
    """
    found: dict[str, float] = {}
    for operation in operations:
        key = f"{_part(operation.begin, ranges)}/{kind_of(operation, vocabulary)}"
        found[key] = found.get(key, 0.0) + operation.seconds
    for part, seconds in _seconds_of_parts(ranges, whole).items():
        inside = sum(value for key, value in found.items() if key.split("/")[0] == part)
        found[f"{part}/{OUTSIDE}"] = max(0.0, seconds - inside)
    return found


def _part(moment: float, ranges: Sequence[Range]) -> str:
    return _innermost([one for one in ranges if one[0] <= moment < one[1]])


def _innermost(around: Sequence[Range]) -> str:
    """The column of the shortest of some ranges, each of which lies in the others."""
    return COLUMNS.get(min(around, key=lambda one: one[1] - one[0])[2], REST) if around else REST


def _seconds_of_parts(ranges: Sequence[Range], whole: float) -> dict[str, float]:
    """What each range has without those inside it, summed by part."""
    found = dict.fromkeys([*COLUMNS.values(), REST], 0.0)
    found[REST] = whole
    for begin, end, name in ranges:
        outer = [one for one in ranges if one[0] <= begin and end <= one[1] and one != (begin, end, name)]
        found[COLUMNS.get(name, REST)] += (end - begin) / 1e6
        found[_innermost(outer)] -= (end - begin) / 1e6
    return found


class OperationsStopwatch(Stopwatch):
    """A stopwatch that profiles one step."""

    def __init__(self, clock: str, step: int, vocabulary: int) -> None:
        """`step`: its number, from 0, those of the warm-up included."""
        super().__init__(clock)
        self.operations: dict[str, float] = {}
        self._step, self._vocabulary = step, vocabulary
        self._profile: Any = None

    def wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed, and a range among the operations."""

        def ranged(*arguments: Any, **keywords: Any) -> Any:
            with torch.profiler.record_function(PART + name):
                return function(*arguments, **keywords)

        return super().wrapped(name, ranged)

    def begin(self) -> None:
        """The first step begins."""
        self._start_at_its_step()
        super().begin()

    def end_step(self, **more: float) -> None:
        """A step is over; the next begins."""
        super().end_step(**more)
        if self._profile is not None:
            self._profile.stop()
            self.operations = _summary(self._profile.events(), self.rows[-1]["step"], self._vocabulary)
            self._profile = None
        self._start_at_its_step()

    def _start_at_its_step(self) -> None:
        if len(self.rows) == self._step:
            self._profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True)
            self._profile.start()


def _summary(events: Iterable[Any], whole: float, vocabulary: int) -> dict[str, float]:
    ranges, operations = [], []
    for event in events:
        begin, end = event.time_range.start, event.time_range.end
        if event.name.startswith(PART):
            ranges.append((begin, end, event.name.removeprefix(PART)))
        elif event.name.startswith("aten::"):
            operations.append(Operation(event.name, event.input_shapes or (), begin, event.self_cpu_time_total / 1e6))
    return seconds_by_kind(operations, ranges, whole, vocabulary)
