"""Continuous batching: rows that are over leave the cache, and waiting ones take their slots while the others run.

A batch starts with as many rows as there are slots. `AdmissionRule` says when others join it. Where none can join
(recurrent states), or none may, the next batch starts when this one is over. A token depends on its row alone, so that
none of this can be seen in the responses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.rollout.decoding.admission import FREED, AdmissionRule
from tvo_cli.rollout.decoding.decoding_network import DecodingNetwork, PrefilledPrompts
from tvo_cli.rollout.decoding.responses_in_progress import FinishedReport, ResponseRows
from tvo_cli.rollout.decoding.running_batch import RunningBatch, rows_to_keep
from tvo_cli.rollout.decoding.stop_strings import StopStrings
from tvo_cli.rollout.decoding.token_sampling import SamplingParams, sample_token
from tvo_cli.rollout.decoding.waiting_rows import WaitingRow, WaitingRows, prompts_of_rows
from tvo_cli.rollout.non_finite_logits import NonFiniteLogits

TRIMMED = 0.125  # share of columns that are padding in every row, from which it pays to drop them from the cache


class HeldPrompt(NamedTuple):
    """The last prompt that has been read, whose cache is held while samples of it still wait."""

    prompt: int
    read: PrefilledPrompts


@dataclass(slots=True)
class ContinuousBatching:
    """Decodes all rows of a queue."""

    network: DecodingNetwork
    sampling: SamplingParams
    seed: int
    rule: AdmissionRule
    waiting: WaitingRows
    responses: ResponseRows
    report: FinishedReport
    stopped: StopStrings
    ends: Tensor  # int64, the tokens that end a response
    held: HeldPrompt | None = None
    logp_sum: Tensor = field(init=False)  # of all tokens so far: no number as soon as one of them is none

    def __post_init__(self) -> None:
        self.logp_sum = torch.zeros((), device=self.ends.device)

    def run(self) -> None:
        """Batch after batch, until none waits.

        Raises:
            NonFiniteLogits: the model's logits for a token are no numbers.
        """
        while len(self.waiting):
            self._decode(self._start())

    def _start(self) -> RunningBatch:
        """The first rows that wait; where none can join them later, all samples of a prompt together."""
        count = self.rule.slots if self.rule.joins else self.waiting.whole_prompts(self.rule.slots)
        rows = self.waiting.take(count)
        chosen = prompts_of_rows(rows)
        return RunningBatch.of(self._read(chosen, rows[-1]), *self._columns(rows, chosen))

    def _decode(self, batch: RunningBatch) -> None:
        """Token after token, until no row of the batch lives."""
        every = min(steps_between_looks(self.ends.device), self.sampling.max_tokens)
        until_look = 1
        while True:
            self._sample(batch)
            until_look -= 1
            joining = 0
            if until_look == 0:
                living = self._look(batch, every)
                if living == 0:
                    return
                joining = self._rows_that_join(batch, living, every)
                self._drop_finished(batch, living, joining)
                until_look = every if every == 1 else self._steps_to_limit(batch, every)
            batch.logits = batch.state.step(self.network, batch.token)
            if joining:
                self._admit(batch, joining, every)

    def _sample(self, batch: RunningBatch) -> None:
        """A token of each row; of those that are over nothing is recorded."""
        token, logp = sample_token(batch.logits, batch.next_uniforms(), self.sampling)
        batch.token, at, live = token, (batch.row, batch.age), batch.live
        self.responses.ids[at] = torch.where(live, token, self.network.policy.pad_id)
        kept = torch.where(live, logp, 0.0)
        self.responses.logp[at], self.responses.mask[at] = kept, live
        self.logp_sum += kept.sum()
        batch.age = batch.age + live
        done = live & (torch.isin(token, self.ends) | self.stopped(self.responses.ids, batch.row, at[1] + 1))
        self.responses.finished[batch.row] |= done
        batch.live = live & ~done & (batch.age < self.sampling.max_tokens)

    def _look(self, batch: RunningBatch, steps: int) -> int:
        """How many rows live; the others are reported, and columns that none of the living needs may go."""
        live = batch.live.tolist()
        if not math.isfinite(float(self.logp_sum)):
            raise self._non_finite_logits()
        self.report.tell(self.responses, [row for row, lives in zip(batch.rows, live, strict=True) if not lives])
        if any(live) and batch.joined:
            self._trim(batch, min(start for start, lives in zip(batch.state.starts, live, strict=True) if lives), steps)
        return sum(live)

    def _non_finite_logits(self) -> NonFiniteLogits:
        """The error that names the first such token of the first response that has one."""
        row, token = (~self.responses.logp.isfinite()).nonzero()[0].tolist()
        return NonFiniteLogits(self.waiting.keys[row // self.sampling.samples], token + 1)

    def _trim(self, batch: RunningBatch, spare: int, steps: int) -> None:
        """Drop columns that are padding in every living row: many, or all where the cache has no more."""
        length = batch.state.length
        if spare >= TRIMMED * length or length + steps > self.rule.columns:
            batch.state.shift(-spare)

    def _rows_that_join(self, batch: RunningBatch, living: int, steps: int) -> int:
        """How many waiting rows join the batch after its next step, `steps` before the next look."""
        if not len(self.waiting) or not self.rule.is_due(living):
            return 0
        count = min(self.rule.slots - living, len(self.waiting))
        rows, length = self.waiting.first(count), batch.state.length
        lengths = [self.waiting.lengths[row.prompt] for row in rows]
        slots = max(len(batch), living + count)
        fits = self._is_held(rows[-1]) or self.rule.readable(slots, length + steps, max(lengths))
        return count if fits and self.rule.pays(living, length, lengths) else 0

    def _drop_finished(self, batch: RunningBatch, living: int, joining: int) -> None:
        """Drop finished rows from the cache where they are many and no others take their slots."""
        if joining or living > (1.0 - FREED) * len(batch):
            return
        kept = rows_to_keep(batch.live, self.network.even_rows)
        if len(kept) < len(batch):
            batch.select(kept)

    def _steps_to_limit(self, batch: RunningBatch, most: int) -> int:
        """Steps until the oldest row is over at the latest, or `most`."""
        return min(most, self.sampling.max_tokens - int(batch.age[batch.live].max()))

    def _admit(self, batch: RunningBatch, count: int, steps: int) -> None:
        """Put the first rows that wait into free slots, so many prompts at a time as the cache holds besides."""
        slots, rows = batch.free_slots(count), self.waiting.take(count)
        longest = max(self.waiting.lengths[row.prompt] for row in rows)
        most = self.rule.readable(len(batch), batch.state.length + steps, longest)
        for portion in self._portions(rows, max(1, most)):
            self._put(batch, portion, slots[: len(portion)])
            slots = slots[len(portion) :]

    def _portions(self, rows: Sequence[WaitingRow], prompts: int) -> list[list[WaitingRow]]:
        """The rows whose prompt is held; then those of so many prompts at a time."""
        place = {
            prompt: index for index, prompt in enumerate(prompts_of_rows([r for r in rows if not self._is_held(r)]))
        }
        grouped = groupby(rows, lambda row: place.get(row.prompt, -1) // prompts)
        return [list(portion) for _, portion in grouped]

    def _put(self, batch: RunningBatch, rows: Sequence[WaitingRow], slots: Tensor) -> None:
        """Rows into slots, by the prompt that is held or by prompts that are read now."""
        chosen = prompts_of_rows(rows)
        prompts = self.held.read if self.held and self._is_held(rows[0]) else self._read(chosen, rows[-1])
        batch.put(prompts, *self._columns(rows, chosen), slots)

    def _read(self, chosen: Sequence[int], last: WaitingRow) -> PrefilledPrompts:
        """Prompts by the network; that of the last row is held while others of its samples wait."""
        prompts = self.network.prefill(*self.waiting.prompts(chosen))
        waits = self.rule.joins and last.sample + 1 < self.waiting.samples
        self.held = HeldPrompt(last.prompt, prompts.only(len(chosen) - 1)) if waits else None
        return prompts

    def _columns(self, rows: Sequence[WaitingRow], chosen: Sequence[int]) -> tuple[Tensor, Tensor, list[int], Tensor]:
        """Which of the chosen prompts each row answers, int64 [k]; its uniform numbers; its place in the rollout.

        And how many tokens of it there are, int64 [k]: those of the prefix that it continues.
        """
        source = torch.tensor([chosen.index(row.prompt) for row in rows], device=self.ends.device)
        places, uniforms = self.waiting.places(rows), self.waiting.uniforms(rows, self.seed, self.sampling.max_tokens)
        return source, uniforms, places, self.responses.lengths(places)

    def _is_held(self, row: WaitingRow) -> bool:
        return self.held is not None and row.prompt == self.held.prompt


def steps_between_looks(device: torch.device) -> int:
    """Tokens between two looks at how many rows live: on a GPU each look waits for all that it was given."""
    return 1 if device.type == "cpu" else 8
