"""Supervised fine-tuning: the assistant's tokens of demonstrations become more likely, resumable at every update."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.optim import Optimizer

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.forward_pass.sequence_logprobs import TokenSequences, learned_logprobs
from tvo_cli.training.run_data.demonstration_encoding import EncodedSequence
from tvo_cli.training.run_data.demonstration_rows import Rows

log = logging.getLogger("tvo")
Report = Callable[[int, float], object]  # is told steps done and the loss
Autocast = Callable[[], AbstractContextManager[Any]]


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
    microbatch_tokens: int = 0  # padding included, of one forward; 0: no bound
    packed: bool = False


class SFTUpdate(NamedTuple):
    """What an update found."""

    step: int  # updates done
    loss: float  # nats a learned token
    tokens: int  # learned
    norm: float  # of the gradient, before clipping
    lr: float

    def metrics(self) -> dict[str, float]:
        """Named as in docs/metrics.md."""
        return {
            "sft/loss": self.loss,
            "sft/tokens": float(self.tokens),
            "gradient/norm": self.norm,
            "optimizer/lr": self.lr,
        }


@dataclass(slots=True)
class FineTuning:
    """A fine-tuning under way: its policy, its optimiser, and how many updates are done."""

    policy: Policy
    rows: Rows
    settings: SFTSettings
    optimizer: Optimizer
    autocast: Autocast = nullcontext
    step: int = 0

    @classmethod
    def of(cls, policy: Policy, rows: Rows, settings: SFTSettings, autocast: Autocast = nullcontext) -> FineTuning:
        """At its start: AdamW over what trains."""
        trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=settings.lr, betas=settings.betas, weight_decay=settings.weight_decay)
        return cls(policy, rows, settings, optimizer, autocast)

    def updates(self) -> Iterator[SFTUpdate]:
        """Make the updates that are left, one at a time.

        Minimises −log π(reply | what came before it), the mean over all learned tokens of an update's rows.
        """
        self.policy.network.train()
        try:
            while self.step < self.settings.steps:
                yield self._update()
        finally:
            self.policy.network.eval()

    def _update(self) -> SFTUpdate:
        first = self.step * self.settings.rows
        rows = [self.rows.at(number) for number in range(first, first + self.settings.rows)]
        tokens = sum(sum(row.learned) for row in rows)
        self.optimizer.zero_grad(set_to_none=True)
        loss = 0.0
        for part in sft_microbatches(rows, self.settings.microbatch_tokens, packed=self.settings.packed):
            with self.autocast():
                share = loss_of_rows(self.policy, part, packed=self.settings.packed) / tokens
            share.backward()
            loss += float(share.detach())
        lr = self.settings.lr * sft_lr_multiplier(self.settings, self.step)
        self.optimizer.param_groups[0]["lr"] = lr
        trained = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]
        norm = float(torch.nn.utils.clip_grad_norm_(trained, self.settings.clip_norm))
        if not math.isfinite(norm):
            problem = f"the gradient of update {self.step + 1} is not finite; nothing was changed by it."
            raise UserError("lr", self.settings.lr, problem, "Take a lower one and another output_dir.")
        self.optimizer.step()
        self.step += 1
        return SFTUpdate(self.step, loss, tokens, norm, lr)


def loss_of_rows(policy: Policy, rows: Sequence[EncodedSequence], *, packed: bool) -> torch.Tensor:
    """−Σ log π over the learned tokens of the rows, in nats."""
    device = next(policy.parameters()).device
    sequences = TokenSequences.of([(row.ids, row.learned) for row in rows], policy.pad_id, device)
    return -learned_logprobs(policy, sequences, packed=packed).sum()


@torch.no_grad()
def mean_loss(policy: Policy, rows: Sequence[EncodedSequence], settings: SFTSettings, autocast: Autocast) -> float:
    """Nats a learned token over the rows; not a number without one."""
    tokens = sum(sum(row.learned) for row in rows)
    total = 0.0
    for part in sft_microbatches(rows, settings.microbatch_tokens, packed=settings.packed):
        with autocast():
            total += float(loss_of_rows(policy, part, packed=settings.packed))
    return total / tokens if tokens else math.nan


def sft_microbatches(rows: Sequence[EncodedSequence], most: int, *, packed: bool) -> Iterator[list[EncodedSequence]]:
    """Rows in their order, as many at a time as have `most` tokens with their padding; 0: all at once."""
    part: list[EncodedSequence] = []
    for row in rows:
        if part and most and _microbatch_positions([*part, row], packed=packed) > most:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def _microbatch_positions(rows: Sequence[EncodedSequence], *, packed: bool) -> int:
    lengths = [len(row.ids) for row in rows]
    return sum(lengths) if packed else len(lengths) * max(lengths)


def sft_lr_multiplier(settings: SFTSettings, step: int) -> float:
    """Linear warm-up, constant rate, linear decay to 0."""
    left = (settings.steps - step) / max(settings.decay * settings.steps, 1.0)
    return min(1.0, (step + 1) / max(settings.warm_up, 1), left)


def log_sft_progress(steps: int) -> Report:
    """For `tvo sft`, what tells every hundredth of `steps` steps to the log."""

    def report(step: int, loss: float) -> None:
        if step % 100 == 0:
            log.info("step %d of %d: loss %.4f nats a token", step, steps, loss)

    return report
