"""What `auto` means in the settings of `tvo sft`, for this model and these data; each is told."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from tvo_cli.model import Policy
from tvo_cli.training.run_data.demonstration_rows import EncodedDemonstrations, Rows, sft_padded_share
from tvo_cli.training.sft.supervised_fine_tuning import SFTSettings

log = logging.getLogger("tvo")
AUTO = "auto"
STEPS, GENERATED_ROWS, READ_ROWS = 900, 128, 32  # of the embedded starts; of data that are read
WARM_UP = 50  # steps at most, and a tenth of all
SMALL = 10_000_000  # parameters below which a model learns at the rate of the embedded ones
SMALL_LR, LR = 2e-3, 1e-5
PADDED = 0.1  # share of padding from which rows are packed


def settle_sft_settings(config: DictConfig, policy: Policy, rows: Rows) -> SFTSettings:
    """Set the settings that are auto in the config, and return all of them."""
    read = isinstance(rows, EncodedDemonstrations)
    _settle_sft_setting(config, "rows", min(READ_ROWS, rows.size or READ_ROWS) if read else GENERATED_ROWS)
    _settle_sft_setting(
        config, "steps", -(-int(config.epochs) * (rows.size or 1) // int(config.rows)) if read else STEPS
    )
    _settle_sft_setting(config, "lr", _lr(config, policy))
    _settle_sft_setting(config, "warm_up", min(WARM_UP, int(config.steps) // 10))
    return SFTSettings(
        steps=int(config.steps),
        rows=int(config.rows),
        lr=float(config.lr),
        betas=(float(config.betas[0]), float(config.betas[1])),
        weight_decay=float(config.weight_decay),
        clip_norm=float(config.clip_norm),
        warm_up=int(config.warm_up),
        decay=float(config.decay),
        seed=int(config.seed),
        microbatch_tokens=int(config.microbatch_tokens),
    )


def _settle_sft_setting(config: DictConfig, key: str, value: float) -> None:
    if config[key] == AUTO:
        config[key] = value
        log.info("%s=auto: %s", key, value)


def _lr(config: DictConfig, policy: Policy) -> float:
    """Of a small model that of the embedded ones; of a large one a usual one, by the adapter's own factor."""
    size = sum(parameter.numel() for parameter in policy.parameters())
    return (SMALL_LR if size < SMALL else LR) * (float(config.adapter.lr_scale) if size >= SMALL else 1.0)


def sft_wants_packing(chosen: Any, rows: Rows, batch: int) -> bool:
    """What packing=auto means for `tvo sft`: as asked, else where padding would be more than a tenth."""
    if isinstance(chosen, bool):
        return chosen
    return isinstance(rows, EncodedDemonstrations) and sft_padded_share(rows, batch) > PADDED
