"""Loading of problems by the kind of a dataset node: embedded tasks, MATH, GSM8K, JSONL or hub data sets, mixtures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvo_cli.data.addition import AdditionProblems, AdditionSettings
from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.data.chain_sums import ChainSumsProblems, ChainSumsSettings
from tvo_cli.data.file_problems import load_problem_file
from tvo_cli.data.generated_settings import settings_of
from tvo_cli.data.hub_problems import load_hub
from tvo_cli.data.mixture import load_mixture
from tvo_cli.data.own_problems import load_own_problems
from tvo_cli.data.problems import Problems
from tvo_cli.data.reasoning_gym_tasks import load_reasoning_gym_task
from tvo_cli.data.row_selection import limit_of
from tvo_cli.errors import UserError

KINDS = ("arithmetic", "addition", "chain_sums", "jsonl", "hub", "reasoning_gym", "mixture", "own")


def load(node: Mapping[str, Any], *, split: str, seed: int) -> Problems:
    """The problems of one split of a dataset node.

    Generated data depend on dataset.seed where it is set, else on `seed`; data that are read depend on neither.
    """
    if split not in ("train", "test"):
        raise UserError("split", split, "no such split.", "Choose train or test.")
    chosen = node.get("seed")
    seed = seed if chosen is None else int(chosen)
    match node["kind"]:
        case "jsonl":
            return load_problem_file(node, split=split)
        case "hub":
            return load_hub(node, split=split)
        case "mixture":
            return load_mixture(node, lambda source: load(source, split=split, seed=seed))
    return _load_generated(node, split=split, seed=seed)


def _load_generated(node: Mapping[str, Any], *, split: str, seed: int) -> Problems:
    """Load an embedded task by its kind: arithmetic, addition, chain sums, reasoning_gym."""
    match node["kind"]:
        case "arithmetic":
            arithmetic = settings_of(ArithmeticSettings, node)
            return ArithmeticProblems(arithmetic, split=split, seed=seed, limit=limit_of(node))
        case "addition":
            addition = settings_of(AdditionSettings, node)
            return AdditionProblems(addition, split=split, seed=seed, limit=limit_of(node))
        case "chain_sums":
            sums = settings_of(ChainSumsSettings, node)
            return ChainSumsProblems(sums, split=split, seed=seed, limit=limit_of(node))
        case "own":
            return load_own_problems(node, split=split, seed=seed)
        case "reasoning_gym":
            return load_reasoning_gym_task(node, split=split, seed=seed)
    raise UserError("dataset.kind", node["kind"], "no such kind of data.", f"Choose among {', '.join(KINDS)}.")
