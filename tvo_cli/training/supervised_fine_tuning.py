"""Supervised fine-tuning on worked solutions: how the embedded checkpoints are made."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from tvo_cli.data.prompts import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.file_digest import file_sha256
from tvo_cli.model import Policy

log = logging.getLogger("tvo")
Report = Callable[[int, float], object]


@runtime_checkable
class WorkedSolutions(Protocol):
    """Problems with a teacher."""

    @property
    def size(self) -> int | None: ...

    def problem(self, index: int) -> Any: ...

    def teacher_solution(self, index: int, seed: int) -> str: ...


@dataclass(frozen=True, slots=True)
class SFTSettings:
    """The plain numbers of a fine-tuning."""

    steps: int
    rows: int
    lr: float
    betas: tuple[float, float]
    weight_decay: float
    clip_norm: float
    warm_up: int
    decay: float
    seed: int


def log_sft_progress(step: int, loss: float) -> None:
    """Every hundredth step into the log."""
    if step % 100 == 0:
        log.info("step %d: loss %.4f nats a token", step, loss)


def fine_tune(
    policy: Policy,
    problems: WorkedSolutions,
    prompt: Any,
    settings: SFTSettings,
    report: Report,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> None:
    """Minimise −log π(solution | question) a token; linear warm-up, constant rate, linear decay to 0."""
    policy.network.train()
    optimizer = torch.optim.AdamW(
        list(policy.parameters()), lr=settings.lr, betas=settings.betas, weight_decay=settings.weight_decay
    )
    for step in range(settings.steps):
        first = step * settings.rows
        indices = [i % problems.size if problems.size else i for i in range(first, first + settings.rows)]
        encoded = _encode_solutions(policy, problems, indices, prompt, settings.seed)
        with autocast():
            loss = _solution_loss(policy, *encoded)
        optimizer.param_groups[0]["lr"] = settings.lr * _lr_multiplier(settings, step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(policy.parameters()), settings.clip_norm)
        optimizer.step()
        report(step + 1, float(loss.detach()))
    policy.network.eval()


def _lr_multiplier(settings: SFTSettings, step: int) -> float:
    left = (settings.steps - step) / max(settings.decay * settings.steps, 1.0)
    return min(1.0, (step + 1) / max(settings.warm_up, 1), left)


def _encode_solutions(
    policy: Policy, problems: WorkedSolutions, indices: Sequence[int], prompt: Any, seed: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Questions left-padded, solutions with their end token right-padded."""
    tokenizer, device = policy.tokenizer, next(policy.parameters()).device
    questions = [render_prompt(problems.problem(i), prompt, tokenizer) for i in indices]
    solutions = [problems.teacher_solution(i, seed) for i in indices]
    prompt_ids, prompt_mask = policy.encode(questions)
    if tokenizer.eos_token_id is None:
        raise UserError("model.path", tokenizer.name_or_path, "its tokenizer has no end token to learn.", "Add one.")
    answered = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in solutions]
    length = max(map(len, answered)) + 1
    ids = torch.full((len(answered), length), policy.pad_id, dtype=torch.int64)
    mask = torch.zeros(len(answered), length, dtype=torch.bool)
    for row, tokens in enumerate(answered):
        ids[row, : len(tokens) + 1] = torch.tensor([*tokens, tokenizer.eos_token_id])
        mask[row, : len(tokens) + 1] = True
    return prompt_ids, prompt_mask, ids.to(device), mask.to(device)


def _solution_loss(policy: Policy, prompt_ids: Tensor, prompt_mask: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    loss: Tensor = -policy.score(prompt_ids, prompt_mask, ids, mask, 1.0).logp.sum() / mask.sum()
    return loss


def write_sft_record(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write sft.json: how the checkpoint was made, and the checksum of its weights."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise UserError("output_dir", folder, "no weights were written there.")
    facts = facts | {"sha256": file_sha256(weights)}
    (folder / "sft.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts
