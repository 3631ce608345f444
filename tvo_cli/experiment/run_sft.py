"""`tvo sft`: fine-tuning on worked solutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from tvo_cli import environment
from tvo_cli.errors import UserError
from tvo_cli.experiment.automatic_settings import automatic_precision, settle_model_settings
from tvo_cli.experiment.build_heldout import sampled_heldout
from tvo_cli.model import load_policy
from tvo_cli.model.model_card import ModelCard
from tvo_cli.reward import Grader
from tvo_cli.training import run_problems as chosen_problems
from tvo_cli.training.device_and_precision import set_up_runtime
from tvo_cli.training.supervised_fine_tuning import (
    Report,
    SFTSettings,
    WorkedSolutions,
    fine_tune,
    log_sft_progress,
    write_sft_record,
)


def sft(config: DictConfig, report: Report = log_sft_progress) -> dict[str, Any]:
    """Fine-tune a model on worked solutions, save it in hub format, and say how good it is."""
    settle_model_settings(config)
    precision = automatic_precision(config.model, str(config.device))
    runtime = set_up_runtime(config.device, precision, "float32", int(config.threads), deterministic=True)
    policy = load_policy(config.model, device=runtime.device)
    solutions = chosen_problems.select_training_problems(config, policy)
    if not isinstance(solutions, WorkedSolutions):
        raise UserError("dataset", config.dataset.name, "has no worked solutions to learn from.")
    fine_tune(policy, solutions, config.model.prompt, _sft_settings(config), report, runtime.autocast)
    folder = Path(config.output_dir)
    policy.save(folder)
    ModelCard.of_fine_tuning(config).write(folder, int(config.steps))
    environment.record(folder, environment.of_network(policy, runtime), anew=True)
    with Grader(config.reward) as grader:
        heldout = sampled_heldout(config, policy, grader, int(config.problems), int(config.samples), 1.0)
        with runtime.autocast():
            evaluation = heldout(policy)
    found = {"steps": int(config.steps), "seed": int(config.seed), "dataset": str(config.dataset.name)}
    found |= {"precision": runtime.precision} if runtime.precision != "float32" else {}
    return write_sft_record(folder, found | evaluation.metrics() | {"torch": torch.__version__})


def _sft_settings(config: DictConfig) -> SFTSettings:
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
    )
