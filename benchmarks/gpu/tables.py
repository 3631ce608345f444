"""The tables of a record: nothing but sums over its rows."""

from __future__ import annotations

from typing import Any

from benchmarks.gpu.limits import Limits, share, stated_limits
from benchmarks.harness import markdown
from benchmarks.harness.markdown import median
from benchmarks.harness.record import Record, Row, group
from benchmarks.workload.step_process import median_parts

RAN = ("measured", "in part")
NEAR = 2.0  # times the errors of plain torch that a kernel may have to be chosen
PLAIN = (
    "whole rows",
    "chunks of 64 MiB, as CUDA takes",
)  # plain torch, and the same arithmetic where that is too large
ERRORS = ("logp_error", "logp_error_max", "hidden_gradient_error", "weight_gradient_error")
PARTS = ("step", "generation", "log_probs", "forward_backward", "optimizer")
STEP_HEAD = (
    *("model", "side", "precision", "step s", "generation", "old log π", "forward + backward", "optimiser"),
    *("response tokens/s", "MFU update", "MFU step", "decoding GB/s", "of stated", "of a copy", "peak MiB", "mismatch"),
)
KERNEL_HEAD = (
    *("kernel", "forward ms", "backward ms", "memory MiB", "log π error", "largest", "∂h error", "∂W error"),
    "gives besides",
)


def table(record: Record) -> str:
    """The device, steps, ratios to TRL, kernels, and what was not measured."""
    known, copied = limits(record)
    parts = [_device(record, known)]
    if steps := [row for row in record.rows("steps") if row["status"] in RAN]:
        parts += [markdown.table(STEP_HEAD, [step_cells(row, known, copied) for row in steps])]
        parts += ["\n".join(ratio_lines(steps))]
    for (shape,), rows in group(record.rows("kernels"), "shape").items():
        parts.append(_kernels(shape, rows))
    return "\n\n".join(part for part in (*parts, _not_measured(record)) if part)


def limits(record: Record) -> tuple[Limits, float | None]:
    """Stated limits, those of the command line first, and the measured bandwidth of a copy."""
    stated, settings = stated_limits(device_name(record)), record.settings
    known = Limits(settings["peak_flops"] or stated.flops, settings["peak_bandwidth"] or stated.bandwidth)
    return known, next((row["copy_bandwidth"] for row in record.rows("device")), None)


def device_name(record: Record) -> str:
    """As torch gives it."""
    return next((row["name"] for row in record.rows("device") if row["name"]), _asked_for(record))


def _asked_for(record: Record) -> str:
    return record.machine.gpu if record.settings["device"] == "cuda" else "cpu"


def _device(record: Record, known: Limits) -> str:
    parts = [device_name(record) or "device without a name"]
    if known.flops and known.bandwidth:
        parts += [f"limits: {known.flops / 1e12:.4g} TFLOP/s in bfloat16, {known.bandwidth / 1e9:.4g} GB/s"]
    else:
        parts += ["unknown device: without stated limits their shares are left out (--peak-flops, --peak-bandwidth)"]
    for row in record.rows("device"):
        if row["status"] in RAN:
            product, copy = row["product_flops"] / 1e12, row["copy_bandwidth"] / 1e9
            parts += [f"measured: a bfloat16 product {product:.4g} TFLOP/s, a copy {copy:.4g} GB/s"]
    return "; ".join(parts)


def step_cells(row: Row, known: Limits, copied: float | None) -> list[str]:
    """A line of the steps: seconds, rates and shares by the medians over steps."""
    seconds = median_parts(row)
    generation, update = seconds["generation"], median(row["update"])
    flops = row["generation_flops"] + row["update_flops"]
    return [
        row["shape"] + (" (fewer steps)" if row["status"] == "in part" else ""),
        f"{row['side']} {row['version']}",
        row["precision"],
        *(f"{seconds[name]:.3f}" for name in PARTS),
        f"{median(row['tokens']) / seconds['step']:,.0f}",
        _percent(share(row["update_flops"], update, known.flops)),
        _percent(share(flops, seconds["step"], known.flops)),
        f"{row['decode_bytes'] / generation / 1e9:.4g}",
        _percent(share(row["decode_bytes"], generation, known.bandwidth)),
        _percent(share(row["decode_bytes"], generation, copied)),
        f"{peak_mb(row):,.0f}",
        _number(row["readings"].get("policy/mismatch"), "{:.2e}"),
    ]


def peak_mb(row: Row) -> float:
    """Of the GPU's tensors; of the process where there is no GPU."""
    return float(row["gpu_mb"] or row["peak_mb"] or 0.0)


def ratio_lines(rows: list[Row]) -> list[str]:
    """TRL's step over ours and our memory over TRL's at the same precision, then float32 over bfloat16 of ours."""
    found = {(row["shape"], row["side"], row["precision"]): row for row in rows}
    lines = []
    for (shape, side, precision), theirs in found.items():
        mine = found.get((shape, "tvo", "bfloat16"))
        if mine is None or theirs is mine:
            continue
        other = precision if side == "tvo" else side
        same = "bfloat16" if side == "tvo" else "tvo"
        step = median(theirs["step"]) / median(mine["step"])
        memory = f"{peak_mb(mine) / peak_mb(theirs):.2f}" if peak_mb(theirs) else "–"
        lines.append(f"- {shape}: step, {other} ÷ {same}: {step:.2f}; peak memory, {same} ÷ {other}: {memory}")
    return lines


def _kernels(shape: str, rows: list[Row]) -> str:
    measured = [row for row in rows if row["status"] in RAN]
    if not measured:
        return ""
    first = measured[0]
    head = f"log π of {first['tokens']} tokens, {shape}: hidden {first['hidden']}, vocabulary {first['vocabulary']}"
    chosen = choice(measured)
    said = f"Fastest with every error within {NEAR:g} times that of plain torch: {chosen['kernel']}." if chosen else ""
    return "\n\n".join((head, markdown.table(KERNEL_HEAD, [_kernel_cells(row) for row in measured]), said))


def choice(rows: list[Row]) -> Row | None:
    """The fastest of the kernels whose errors are near those of plain torch; None where that was not measured."""
    plain = next((row for name in PLAIN for row in rows if row["kernel"] == name), None)
    near = [row for row in rows if plain and all(row[error] <= NEAR * plain[error] for error in ERRORS)]
    return min(near, key=milliseconds, default=None)


def milliseconds(row: Row) -> float:
    """Forward and backward."""
    return median(row["forward_ms"]) + median(row["backward_ms"])


def _kernel_cells(row: Row) -> list[str]:
    times = [f"{median(row[name]):.4g}" for name in ("forward_ms", "backward_ms")]
    return [row["kernel"], *times, f"{row['extra_mb']:,.0f}", *(f"{row[name]:.1e}" for name in ERRORS), row["also"]]


def _not_measured(record: Record) -> str:
    """A line for each row without numbers."""
    lines = [
        f"- {name} {', '.join(str(row[field]) for field in list(row)[:3] if field in KEYS)}: {row['status']}"
        + (f" ({row['detail']})" if row["detail"] else "")
        for name in record.tables
        for row in record.rows(name)
        if row["status"] != "measured"
    ]
    return "\n".join(["Not measured, or in part:", *lines]) if lines else ""


KEYS = ("device", "shape", "side", "precision", "kernel")


def _percent(value: float | None) -> str:
    return _number(None if value is None else 100 * value, "{:.3g}%")


def _number(value: Any, form: str) -> str:
    return "–" if value is None else form.format(value)
