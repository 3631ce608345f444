"""How other trainers name what they log: one mapping a trainer, found by its columns, or one of your own in a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.report.run_folder_reading import parse_run_config
from tvo_cli.runs.trial import RATE
from tvo_cli.tracking import metrics_file

TAKES = ("first", "last", "max")
TEXTS = ("file", "rows", "nested", "step", "path", "seconds", "tool")  # keys of a mapping whose value is a text
TELLING = 2  # columns of a trainer's that must be there for a log to be taken for one of its
STEPS = (
    *("step", "global_step", "_step", "Step", "train/global_step", "training/global_step", "trainer/global_step"),
    "iteration",
)
Names = Mapping[str, str | Sequence[str]]
HELDOUT = re.compile(r"(?:eval|val|test)[/_](?:acc|accuracy|score|test_score)")  # of a loop of somebody's own


@dataclass(frozen=True, slots=True)
class ToolMapping:
    """The mapping of another tool's file to a run: our metrics, settings and steps by its columns."""

    file: str = "metrics.jsonl"
    rows: str = ""  # the key of the JSON that holds the rows; none: the file is JSON lines
    nested: str = ""  # the key of a row that holds its metrics; none: the row itself
    step: str = "step"
    planned: str | int = 0  # steps that were asked for: a number, or the file's key
    metrics: Names = field(default_factory=dict)  # ours: theirs, or several of theirs of which the first counts
    patterns: Mapping[str, str] = field(default_factory=dict)  # a pattern of theirs: ours, with its groups
    settings: Mapping[str, Any] = field(default_factory=dict)  # ours: a value, or {column: theirs, take: max}
    path: str = ""  # a pattern for the path, with groups algorithm, seed, lr
    seconds: str = ""  # the column that holds the whole run's seconds
    tool: str = "other"

    def our_names(self) -> dict[str, str]:
        """Theirs → ours; of several of theirs, each."""
        pairs = [(ours, [their] if isinstance(their, str) else list(their)) for ours, their in self.metrics.items()]
        return {one: ours for ours, theirs in pairs for one in theirs}


PLAIN = ToolMapping()
TRL = ToolMapping(
    file="trainer_state.json",
    rows="log_history",
    planned="max_steps",
    seconds="train_runtime",
    tool="trl",
    metrics={
        "reward/mean": "reward",
        "reward/std": "reward_std",
        "accuracy/fresh": "rewards/accuracy_reward/mean",
        "group/zero_advantage": "frac_reward_zero_std",
        "policy/entropy": "entropy",
        "policy/kl_ref": "kl",
        "policy/clipped": ("clip_ratio/region_mean", "clip_ratio"),
        "policy/mismatch": "sampling/sampling_logp_difference/mean",
        "policy/mismatch_max": "sampling/sampling_logp_difference/max",
        "response/length": ("completions/mean_length", "completion_length"),
        "response/length_max": "completions/max_length",
        "response/truncated": "completions/clipped_ratio",
        "gradient/norm": "grad_norm",
        "optimizer/lr": "learning_rate",
        "tokens": "num_tokens",
        "time/step": "step_time",
        "eval/pass@1": "eval_rewards/accuracy_reward/mean",
        "eval/reward": "eval_reward",
        "loss/policy": "loss",
        "data/epoch": "epoch",
    },
    settings={RATE: {"column": "learning_rate", "take": "max"}},
)
VERL = ToolMapping(
    nested="data",
    tool="verl",
    metrics={
        "reward/mean": "critic/rewards/mean",
        "accuracy/fresh": "critic/acc/mean",
        "reward/score": "critic/score/mean",
        "policy/entropy": ("actor/entropy", "actor/entropy_loss"),
        "policy/kl_ref": ("actor/kl_loss", "actor/reward_kl_penalty"),
        "policy/kl_old_k1": "actor/ppo_kl",
        "policy/clipped": "actor/pg_clipfrac",
        "policy/mismatch_probability": "training/rollout_probs_diff_mean",
        "policy/mismatch_kl": "rollout_corr/kl",
        "response/length": "response_length/mean",
        "response/length_max": "response_length/max",
        "response/truncated": "response_length/clip_ratio",
        "gradient/norm": "actor/grad_norm",
        "loss/policy": "actor/pg_loss",
        "optimizer/lr": "actor/lr",
        "critic/explained_variance": "critic/vf_explained_var",
        "time/step": ("timing_s/step", "perf/time_per_step"),
        "tokens/step": "perf/total_num_tokens",
        "data/epoch": "training/epoch",
    },
    patterns={
        r"val-core/(?:.+)/acc/mean@\d+": "eval/pass@1",
        r"val/test_score/.+": "eval/pass@1",
    },
    settings={RATE: {"column": "actor/lr", "take": "max"}},
)
PRIME = ToolMapping(
    tool="prime-rl",
    metrics={
        "reward/mean": ("reward/all/mean", "reward/mean"),
        "group/all_wrong": ("solve_none/all", "batch/solve_none"),
        "group/all_right": ("solve_all/all", "batch/solve_all"),
        "policy/entropy": ("entropy/all/mean", "entropy/mean"),
        "policy/mismatch_kl": ("mismatch_kl/all/mean", "mismatch_kl/mean"),
        "policy/masked": "is_masked/mean",
        "policy/staleness": ("off_policy_level/all/mean", "batch/off_policy_level/mean"),
        "response/length": ("decode_len/all/mean", "decode_len/mean", "completion_len/mean"),
        "response/truncated": ("is_truncated/all/mean", "is_truncated/mean"),
        "gradient/norm": "optim/grad_norm",
        "optimizer/lr": "optim/lr",
        "tokens": "progress/total_tokens",
        "rollouts": "progress/total_samples",
        "loss/policy": "loss/mean",
    },
    patterns={r"eval/(?:.+)/avg@\d+": "eval/pass@1"},
    settings={RATE: {"column": "optim/lr", "take": "max"}},
)
KNOWN = (TRL, VERL, PRIME)
SFT = ToolMapping(  # a run of `tvo sft`: ours, without the columns of a reinforcement
    tool="tvo-sft", metrics={"loss/policy": "sft/loss", "tokens/step": "sft/tokens"}
)
ANYBODYS = ToolMapping(  # a loop of somebody's own, in the words that everybody uses: no trainer's keys are proposed
    metrics={
        "reward/mean": ("reward", "reward_mean", "mean_reward"),
        "accuracy/fresh": ("accuracy", "acc", "success_rate"),
        "policy/entropy": "entropy",
        "policy/kl_ref": ("kl", "kl_div"),
        "response/length": ("response_length", "completion_length", "length"),
        "gradient/norm": ("grad_norm", "gradient_norm"),
        "optimizer/lr": ("learning_rate", "lr"),
        "loss/policy": "loss",
        "data/epoch": "epoch",
    },
)


def find_mapping(columns: Iterable[str]) -> ToolMapping:
    """Return the trainer's mapping that knows most of the columns; PLAIN where none knows enough of them."""
    found = {name.removeprefix("train/") for name in columns}
    best = max(KNOWN, key=lambda one: len(found & set(one.our_names())))
    telling = found & set(best.our_names()) - set(best.metrics)  # names that are not ours too
    common = set(ANYBODYS.our_names())
    if len(telling) >= TELLING and telling - common:
        return best
    return ANYBODYS if {name.lower() for name in found} & common else PLAIN


def read_tool_mapping(path: Path | None) -> ToolMapping:
    """Read the mapping of `--mapping`, YAML or JSON; PLAIN without one."""
    if path is None:
        return PLAIN
    if not path.is_file():
        raise UserError("--mapping", path, "there is no such file.")
    try:
        found = parse_run_config(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError("--mapping", path, "is neither YAML nor JSON.") from error
    known = {one.name for one in fields(ToolMapping)}
    wrong = sorted(map(str, set(found) - known))
    if wrong or not found:
        problem = f"has no key {wrong[0]}." if wrong else "holds no mapping."
        raise UserError("--mapping", path, problem, f"Keys: {', '.join(sorted(known))}.")
    return _check_tool_mapping(ToolMapping(**found), path)


def _check_tool_mapping(chosen: ToolMapping, path: Path) -> ToolMapping:
    """Return the mapping of a file; UserError where a key of it has a value that it cannot have."""
    for problem, remedy in _problems_of_mapping(chosen):
        raise UserError("--mapping", path, problem, remedy)
    return chosen


def _problems_of_mapping(chosen: ToolMapping) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a mapping of another tool, and what to write instead."""
    for key in TEXTS:
        if not isinstance(value := getattr(chosen, key), str):
            yield f"{key} is {_said(value)}, not a text.", "Write its name in quotes, or leave the key out."
    if not isinstance(chosen.planned, str) and not _is_count(chosen.planned):
        yield f"planned is {_said(chosen.planned)}, neither a number nor a key of the file.", "For example 500."
    if not all(isinstance(one, Mapping) for one in (chosen.metrics, chosen.patterns, chosen.settings)):
        yield "metrics, patterns and settings are mappings of our names.", ""
        return
    for ours, theirs in chosen.metrics.items():
        if not isinstance(ours, str):
            yield f"{_said(ours)} is no name of a metric.", "metrics: {ours: theirs}."
        if not (_are_texts([theirs]) or (isinstance(theirs, list) and theirs and _are_texts(theirs))):
            yield f"the metric {ours} is named {_said(theirs)}.", "A column's name, or a list of names."
    yield from _problems_of_settings(chosen.settings)
    yield from _problems_of_patterns(chosen)


def _problems_of_settings(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield which settings of another tool's mapping name no column, or a value of it that there is not."""
    for name, value in settings.items():
        if not isinstance(value, Mapping):
            continue
        if not isinstance(value.get("column"), str) or value.get("take", "first") not in TAKES:
            remedy = f"A value, or {{column: theirs, take: {'|'.join(TAKES)}}}."
            yield f"cannot read the setting {name}.", remedy


def _problems_of_patterns(chosen: ToolMapping) -> Iterator[tuple[str, str]]:
    """Yield which patterns of another tool's mapping are none, or stand for no name."""
    for pattern, ours in chosen.patterns.items():
        if not isinstance(pattern, str):
            yield f"{_said(pattern)} is no pattern.", "patterns: {'a pattern of theirs': ours}."
        if not isinstance(ours, str):
            yield f"the pattern {pattern} stands for {_said(ours)}.", "One of our names."
    for key, pattern in (("path", chosen.path), *(("patterns", one) for one in chosen.patterns)):
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"{key} is no pattern: {error}.", ""


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_count(value: Any) -> bool:
    """Whether a value of another tool's mapping is a number of steps; 0: unknown."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _said(value: Any) -> str:
    """A mapping's value as an error names it."""
    return "nothing" if value is None else repr(value)


class MappedColumns:
    """Our names for another tool's columns, found once a column."""

    def __init__(self, mapping: ToolMapping) -> None:
        self._mapping, self._known = mapping, mapping.our_names()
        self._patterns = [(re.compile(theirs), ours) for theirs, ours in mapping.patterns.items()]
        self._order = {name: at for at, name in enumerate(self._known)}
        self._columns: dict[tuple[str, ...], list[tuple[str, str]]] = {}

    @property
    def step(self) -> str:
        """Their name for the step."""
        return self._mapping.step

    def name(self, theirs: str) -> str:
        """Return our name for a column of theirs; theirs where we have none."""
        return self._mapped(theirs)

    def row(self, row: Mapping[str, Any]) -> metrics_file.Row:
        """Return a row with our names where the mapping has them; of two of theirs for one of ours the first counts."""
        out: metrics_file.Row = {"step": int(row[self._mapping.step])}
        for name, ours in self._pairs(tuple(row)):
            value = row[name]
            number = metrics_file.NOT_FINITE.get(value.lower()) if isinstance(value, str) else value
            if type(number) in (int, float):
                out.setdefault(ours, number)
        return out

    def _pairs(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return theirs and ours of a row's columns, in the order of the mapping; found once for rows of one kind."""
        if names not in self._columns:
            ordered = sorted(names, key=lambda one: self._order.get(one, len(self._order)))
            self._columns[names] = [(one, self._mapped(one)) for one in ordered if one != self._mapping.step]
        return self._columns[names]

    def _mapped(self, theirs: str) -> str:
        short = re.sub(r"^eval/", "eval_", theirs.removeprefix("train/"))  # as TRL's logs reach W&B
        for name in (theirs, short, theirs.lower()):
            if name in self._known:
                return self._known[name]
        matched = next((ours for pattern, ours in self._patterns if pattern.fullmatch(theirs)), None)
        if matched is None and HELDOUT.fullmatch(theirs):
            return "eval/pass@1"
        return re.sub(r"^eval_", "eval/", theirs) if matched is None else matched
