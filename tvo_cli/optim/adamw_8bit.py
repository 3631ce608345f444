"""AdamW with moments of 8 bits, through bitsandbytes (extra: bitsandbytes)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor
from torch.optim import Optimizer

from tvo_cli.errors import UserError
from tvo_cli.optional_packages import import_for

DEVICES = ("cpu", "cuda", "xpu")  # on which its 8-bit step is implemented


def adamw_8bit(
    params: Iterable[Tensor], lr: float, betas: Sequence[float], eps: float, weight_decay: float
) -> Optimizer:
    """AdamW (arXiv:1711.05101) whose moments are quantised block by block to 8 bits after each step.

    Dettmers et al. 2022, arXiv:2110.02861: blocks of 256 numbers, each scaled by its largest. Parameters of fewer
    than 4,096 numbers keep moments of 32 bits.

    Fidelity: full (their implementation).
    """
    bitsandbytes = import_for("optimizer", "adamw_8bit", "bitsandbytes", "bitsandbytes")
    chosen = list(params)
    elsewhere = {one.device.type for one in chosen} - set(DEVICES)
    if elsewhere:
        remedy = f"Take optimizer=adamw, or a device of: {', '.join(DEVICES)}."
        raise UserError("optimizer", "adamw_8bit", f"does not run on {', '.join(sorted(elsewhere))}.", remedy)
    found: Optimizer = bitsandbytes.optim.AdamW8bit(
        chosen, lr=lr, betas=(betas[0], betas[1]), eps=eps, weight_decay=weight_decay
    )
    return found
