"""Fingerprints of a run's problems: the same data set name may stand for other rows tomorrow."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint import store
from tvo_cli.data.problems import ProblemList, Problems
from tvo_cli.data.subset import Subset
from tvo_cli.errors import UserError
from tvo_cli.training.resume_compatibility import is_allowed_to_differ
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
KEY = "dataset.content"  # in resume.allow
GENERATED = 64  # problems of a generated data set: its settings, which are compared too, decide the rest


def dataset_fingerprints(training: Problems, heldout: Sequence[Problem]) -> dict[str, str]:
    """Fingerprints of the training problems in their order and of the held-out ones, for a checkpoint's origin."""
    most = training.size if isinstance(training, ProblemList | Subset) else GENERATED
    count = min(end for end in (training.size, most) if end is not None)
    found = {"data": f"{training.size or 'endless'}:{fingerprint_of_run_dataset(map(training.problem, range(count)))}"}
    return found | ({"heldout": fingerprint_of_run_dataset(heldout)} if heldout else {})


def fingerprint_of_run_dataset(problems: Iterable[Problem]) -> str:
    """sha256 over questions, earlier turns, golds and scorers, in order; its first 16 letters."""
    seen = hashlib.sha256()
    for problem in problems:
        row = (problem.question, problem.turns, problem.answer, problem.scorer)
        seen.update(json.dumps(row).encode() + b"\n")
    return seen.hexdigest()[:16]


def check_same_dataset(folder: Path, now: Mapping[str, Any], config: Any) -> None:
    """Make sure that the newest checkpoint was trained on these problems; nothing is written.

    Raises:
        UserError: the training problems are others, and resume.allow does not name them.
    """
    held = store.list_checkpoints(folder / "checkpoints")
    if not held or str(config.resume.mode) == "never":
        return
    try:
        before = store.read_stored_state(held[-1])["origin"]
    except (OSError, ValueError, KeyError):
        return  # resuming reports what is wrong with it
    compare_dataset_fingerprints(before, now, tuple(map(str, config.resume.allow)), log.warning)


def compare_dataset_fingerprints(
    before: Mapping[str, Any], now: Mapping[str, Any], allowed: Sequence[str], report: Callable[[str], object]
) -> None:
    """Refuse other problems unless resume.allow names them; report a difference that is allowed."""
    if "data" not in before:
        report("the checkpoint does not name the problems it was trained on; they are assumed to be the same")
        return
    if before.get("heldout", now.get("heldout")) != now.get("heldout", before.get("heldout")):
        report("the held-out problems are not those of the checkpoint: evaluations before and after are not comparable")
    if is_same_dataset(before, now):
        return
    if not is_allowed_to_differ(KEY, allowed):
        raise UserError(
            "dataset",
            now["data"],
            f"holds other problems than the run was trained on (recorded: {before['data']}; size and fingerprint of "
            "all questions and answers).",
            f"Put the data back, name another output_dir, or take resume.allow=[{KEY}].",
        )
    report(f"resume.allow: {KEY}: the training problems differ from the checkpoint's; their order starts again")


def is_same_dataset(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two origins name the same training problems; an origin from before they were named does."""
    return bool(before.get("data", now.get("data")) == now.get("data"))
