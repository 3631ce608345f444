"""The logs of benchmarks.diagnosis: rows of a run under our names or TRL's, and how the run ended."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from tvo_cli.report.run_folder_reading import parse_run_config

Rows = list[dict[str, Any]]
Source = Literal["faults", "runs", "scenarios", "simulated"]
OURS, THEIRS = "ours", "trl"

TO_TRL = {
    "reward/mean": "reward",
    "reward/std": "reward_std",
    "group/zero_advantage": "frac_reward_zero_std",
    "policy/entropy": "entropy",
    "policy/kl_ref": "kl",
    "policy/clipped": "clip_ratio/region_mean",
    "policy/mismatch": "sampling/sampling_logp_difference/mean",
    "policy/mismatch_max": "sampling/sampling_logp_difference/max",
    "response/length": "completions/mean_length",
    "response/length_max": "completions/max_length",
    "response/truncated": "completions/clipped_ratio",
    "gradient/norm": "grad_norm",
    "optimizer/lr": "learning_rate",
    "time/step": "step_time",
    "loss/policy": "loss",
    "accuracy/fresh": "rewards/accuracy_reward/mean",
    "reward/longer": "rewards/length_reward/mean",
    "reward/length": "rewards/length_reward/mean",
    "reward/format": "rewards/format_reward/mean",
    "eval/pass@1": "eval_rewards/accuracy_reward/mean",
}
SMOOTHED = 3  # batches whose mean is an accuracy at a moment
CLIP_NORM = 1.0  # of the runs with faults, which take conf/optimizer's
COLLAPSED, FELL, GAINED = 0.5, 0.8, 0.05  # shares of the run's own peak; accuracy over the start


@dataclass(frozen=True)
class LabelledLog:
    """A log, and what is known of the run that no tool is told."""

    source: Source
    case: str  # the fault, or the scenario; of other runs how they ended
    algorithm: str
    seed: int
    onset: int | None  # the first step of what went wrong; None: nothing did, or nobody knows
    end: str  # healthy, stalled, fell, collapsed; "": a simulated log
    rows: Rows
    names: str = OURS
    config: Mapping[str, Any] = field(default_factory=dict)  # of the run, for a tool that reads it
    clip_norm: float | None = None  # as a run folder says it: of TRL's log nobody knows it

    @property
    def id(self) -> str:
        """Its name among the logs of a call."""
        return f"{self.source}/{self.case}/{self.algorithm}/{self.seed}"

    @property
    def samples(self) -> int | None:
        """Responses a prompt."""
        return self.config.get("num_generations")

    @property
    def prompts(self) -> int | None:
        """Prompts a step."""
        return self.config["train_batch_size"] // self.config["num_generations"] if self.config else None

    def as_trl_logs_it(self) -> Rows:
        """The rows with TRL's names; what TRL does not log is left out."""
        return self.rows if self.names == THEIRS else [_trl_row(row) for row in self.rows]


def _trl_row(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {theirs: row[ours] for ours, theirs in TO_TRL.items() if ours in row}
    if row.get("loss/nonfinite"):  # TRL takes no such update out of its means
        found |= {"loss": float("nan"), "grad_norm": float("nan")}
    return {"step": row["step"], **found}


def log_of_fault(folder: Path) -> LabelledLog:
    """The log of a run of benchmarks.diagnosis.runs."""
    told = json.loads((folder / "fault.json").read_text(encoding="utf-8"))
    rows = rows_of_folder(folder)
    onset = told["onset"] if told["fault"] != "healthy" else None
    known = told["fault"], told["algorithm"], told["seed"], onset
    return LabelledLog("faults", *known, end_of(rows, heldout=True), rows, OURS, _sizes(64), CLIP_NORM)


def logs_below(folder: Path) -> Iterator[LabelledLog]:
    """The finished runs of a folder, labelled by their end."""
    for file in sorted(folder.rglob("metrics.jsonl")):
        if (file.parent / "summary.json").is_file():
            yield from _labelled(file.parent)


def _labelled(folder: Path) -> Iterator[LabelledLog]:
    """The log of a run that was evaluated at its start and at its end, with the sizes and the clip of its settings."""
    rows = rows_of_folder(folder)
    scored = [row["step"] for row in rows if "eval/pass@1" in row]
    if len(rows) <= SMOOTHED or not scored or scored[0] != 0 or scored[-1] != rows[-1]["step"]:
        return
    settings = parse_run_config((folder / "config.yaml").read_text(encoding="utf-8"))
    end, asked, algorithm = end_of(rows), settings["rollout"], settings["algorithm"]["name"]
    onset = onset_of_fall(rows) if end in ("collapsed", "fell") else None
    name = folder.name if folder.name.startswith(algorithm) else f"{algorithm}+{folder.name}"
    sizes = _sizes(asked["prompts"] * asked["samples"], asked["samples"], asked["max_tokens"])
    known = end, name, settings["seed"], onset, end
    yield LabelledLog("runs", *known, rows, OURS, sizes, settings["optimizer"].get("clip_norm"))


def _sizes(responses: int, samples: int = 8, longest: int = 20) -> dict[str, int]:
    """Responses a step and a prompt, tokens of the longest; by default those of the runs with faults."""
    return {"num_generations": samples, "train_batch_size": responses, "max_completion_length": longest}


def rows_of_folder(folder: Path) -> Rows:
    """One row a step, with the evaluation of the same step."""
    merged: dict[int, dict[str, Any]] = {}
    for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        merged.setdefault(row["step"], {}).update(row)
    return [merged[step] for step in sorted(merged)]


def end_of(rows: Sequence[Mapping[str, Any]], *, heldout: bool = False) -> str:
    """How a run ended, by its last evaluation against its own peak and start.

    heldout: the peak is that of the evaluations, where the verifier of the training cannot be trusted.

    collapsed: under half of the best mean of three batches; fell: under 0.8 of it; healthy: at least 0.05 above the
    first evaluation; of the others those with entropy under a tenth of the start have collapsed too, the rest stalled.
    """
    scores = [row["eval/pass@1"] for row in rows if "eval/pass@1" in row]
    entropy = [row["policy/entropy"] for row in rows if "policy/entropy" in row]
    peak = max(scores if heldout else _means(rows))
    if scores[-1] < FELL * peak:
        return "collapsed" if scores[-1] < COLLAPSED * peak else "fell"
    if scores[-1] >= scores[0] + GAINED:
        return "healthy"
    return "collapsed" if statistics.fmean(entropy[-SMOOTHED:]) < 0.1 * entropy[0] else "stalled"


def onset_of_fall(rows: Sequence[Mapping[str, Any]]) -> int:
    """The first step after the best mean accuracy of three batches."""
    means, steps = _means(rows), [row["step"] for row in rows if "accuracy/fresh" in row]
    return int(steps[means.index(max(means))]) + 1


def falls_on_the_way(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any mean accuracy of three batches is under 0.8 of the best before it, however the run ends."""
    means = _means(rows)
    return any(mean < FELL * best for mean, best in zip(means, accumulate(means, max), strict=True))


def _means(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    accuracy = [row["accuracy/fresh"] for row in rows if "accuracy/fresh" in row]
    return [statistics.fmean(accuracy[max(0, i - SMOOTHED + 1) : i + 1]) for i in range(len(accuracy))]
