"""Device and precision of a run: what there is here, chosen and set up. The only file that knows accelerate."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState

from tvo_cli.errors import UserError
from tvo_cli.model.precision_choice import allows_tf32
from tvo_cli.parallel.ranks import Ranks

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # names of malloc.h
LARGEST_KEPT = 2**25  # bytes; glibc takes no more
PRECISIONS = {"float32": "no", "bfloat16": "bf16"}


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where tensors live and in which precision the training forward runs."""

    accelerator: Accelerator
    device: torch.device
    ranks: Ranks = field(default_factory=Ranks)

    @property
    def precision(self) -> str:
        """Of the forward pass: float32 or bfloat16."""
        return "bfloat16" if self.accelerator.mixed_precision == "bf16" else "float32"

    def autocast(self) -> AbstractContextManager[Any]:
        """The training forward's precision."""
        context: AbstractContextManager[Any] = self.accelerator.autocast()
        return context


def set_up_runtime(
    device: str,
    precision: str,
    model_dtype: str,
    threads: int,
    deterministic: bool,
    ranks: Ranks | None = None,
    device_key: str = "device",
) -> Runtime:
    """Choose the device and precision and set torch up for them; of several ranks each has its device already."""
    ranks = ranks or Ranks()
    chosen = model_dtype if precision == "auto" else precision
    if chosen not in PRECISIONS:
        key, value = ("model.dtype", model_dtype) if precision == "auto" else ("trainer.precision", precision)
        raise UserError(key, value, "not a precision that trains.", f"Choose {', '.join(PRECISIONS)}.")
    where = choose_device(device, device_key) if ranks.count == 1 else ranks.device
    keep_freed_memory()
    set_product_precision(where.type, chosen)
    if threads:
        torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    accelerator = Accelerator(mixed_precision=PRECISIONS[chosen], cpu=where.type == "cpu")
    return Runtime(accelerator, where, ranks)


@contextmanager
def accelerate_state_kept() -> Iterator[None]:
    """Inside, accelerate knows of no earlier run; afterwards its state, one for the whole process, is the caller's."""
    kinds = (PartialState, AcceleratorState, GradientState)
    before = [dict(kind._shared_state) for kind in kinds]
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    try:
        yield
    finally:
        for kind, found in zip(kinds, before, strict=True):
            kind._shared_state.clear()
            kind._shared_state.update(found)


def set_product_precision(kind: str, precision: str) -> None:
    """Let float32 products on CUDA go through TF32, or keep them whole; CPUs are rollout/decoding/onednn.py's."""
    if kind == "cuda":
        torch.set_float32_matmul_precision("high" if allows_tf32(kind, precision) else "highest")


def keep_freed_memory() -> None:
    """Let freed memory stay with the process, where the C library is glibc.

    It returns tensors of tens of MB to the kernel, which fills the same pages with zeros again at the next step: a
    third of the time of decoding over a wide vocabulary. Larger blocks, such as gradients, still go back.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MMAP_THRESHOLD, LARGEST_KEPT)
    mallopt(TRIM_THRESHOLD, 2**30)


def choose_device(name: str, key: str = "device") -> torch.device:
    """The device of a name, which a key has; of `auto` the quickest that is here."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    if not available.get(name.split(":")[0], False):
        offered = ", ".join(kind for kind, there in available.items() if there)
        raise UserError(key, name, "this device is not available here.", f"Choose auto or {offered}.")
    return torch.device(name)
