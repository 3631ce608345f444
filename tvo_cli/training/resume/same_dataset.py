"""Whether a resumed run has the same problems and demonstrations as its checkpoint: other ones are refused."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.data.mixture import Mixture
from tvo_cli.data.problems import Problems
from tvo_cli.data.problems_fingerprint import fingerprint_of_problem_texts, fingerprint_of_problems
from tvo_cli.errors import UserError
from tvo_cli.training.resume.checkpoint_origin import compare_checkpoint_origin
from tvo_cli.training.resume.resume_compatibility import is_allowed_to_differ
from tvo_cli.training.run_data.demonstration_rows import sft_rows_fingerprint
from tvo_cli.training.update.next_token_loss import NextTokenLoss
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
KEY = "dataset.content"  # in resume.allow; of a source of a mixture, dataset.sources.NAME.content
DATA = "data"  # in a checkpoint's origin; of a source, data/NAME
DEMONSTRATED = "next_token"  # in a checkpoint's origin: the demonstrations beside the responses
DEMONSTRATED_KEY = "algorithm.next_token.data.content"  # in resume.allow


def dataset_fingerprints(
    training: Problems, heldout: Sequence[Problem], next_token: NextTokenLoss | None = None
) -> dict[str, str]:
    """Fingerprints of the training problems in their order and of the held-out ones, for a checkpoint's origin.

    A mixture has one for each source, `data/NAME`, and one over all of them. `next_token`: the loss whose
    demonstrations are learnt too.
    """
    sources = training.sources if isinstance(training, Mixture) else ()
    found = {f"{DATA}/{source.name}": fingerprint_of_problems(source.problems) for source in sources}
    whole = _fingerprint_of_sources(training.size, found) if sources else fingerprint_of_problems(training)
    found |= {"heldout": fingerprint_of_problem_texts(heldout)} if heldout else {}
    return {DATA: whole, **found, **({DEMONSTRATED: sft_rows_fingerprint(next_token.rows)} if next_token else {})}


def _fingerprint_of_sources(size: int | None, sources: Mapping[str, str]) -> str:
    """The fingerprint of a run's data set from its size and those of its sources."""
    return f"{size or 'endless'}:{hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:16]}"


def changed_data_sources(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The sources of a mixture whose problems are others than a checkpoint's, or that it did not have."""
    return [key.removeprefix(f"{DATA}/") for key in now if key.startswith(f"{DATA}/") and before.get(key) != now[key]]


def check_same_dataset(folder: Path, now: Mapping[str, Any], config: Any) -> None:
    """Make sure that the newest checkpoint that can be read is of these problems and models; nothing is written.

    Raises:
        UserError: the training problems are others, and resume.allow does not name them; or the reference or base is.
    """
    held = checkpoint_folders.list_checkpoints(folder / "checkpoints")
    if not held or str(config.resume.mode) == "never":
        return
    before = next(filter(None, map(_origin_of_checkpoint, reversed(held))), None)
    if before is None:
        return  # resuming reports what is wrong with them
    compare_checkpoint_origin(before, now, log.debug)  # said when it is resumed
    allowed = tuple(map(str, config.resume.allow))
    compare_dataset_fingerprints(before, now, allowed, log.warning)
    if now.get(DEMONSTRATED) and (config.algorithm.next_token.data is not None or is_same_dataset(before, now)):
        key = KEY if config.algorithm.next_token.data is None else DEMONSTRATED_KEY
        _check_demonstrations_may_differ(key, before, now, allowed)


def _origin_of_checkpoint(folder: Path) -> dict[str, Any] | None:
    """What a checkpoint says of where it comes from; None: it is damaged, and one before it is resumed."""
    try:
        found: dict[str, Any] = checkpoint_folders.read_stored_state(folder)["origin"]
    except (OSError, ValueError, KeyError):
        return None
    return found


def _check_demonstrations_may_differ(
    key: str, before: Mapping[str, Any], now: Mapping[str, Any], allowed: Sequence[str]
) -> None:
    """Refuse other demonstrations of a next-token loss than a checkpoint's, if it had any, unless `key` may differ."""
    held, found = before.get(DEMONSTRATED, now[DEMONSTRATED]), now[DEMONSTRATED]
    if held == found:
        return
    if not is_allowed_to_differ(key, allowed):
        raise UserError(
            key.removesuffix(".content"),
            found,
            f"holds other demonstrations than the run has learnt (recorded: {held}; number and fingerprint of all).",
            f"Put the data back, name another output_dir, or take resume.allow=[{key}].",
        )
    log.warning("resume.allow: %s: the demonstrations differ from the checkpoint's", key)


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
    for source in changed_data_sources(before, now) or [""]:
        _check_data_may_differ(source, before, now, allowed, report)


def _check_data_may_differ(
    source: str,
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    allowed: Sequence[str],
    report: Callable[[str], object],
) -> None:
    """Refuse another fingerprint of a source's problems ("": of the data set) unless resume.allow names it."""
    key, own = (f"dataset.sources.{source}.content", f"{DATA}/{source}") if source else (KEY, DATA)
    if not (is_allowed_to_differ(key, allowed) or is_allowed_to_differ(KEY, allowed)):
        raise UserError(
            key.removesuffix(".content"),
            now[own],
            f"holds other problems than the run was trained on (recorded: {before.get(own)}; size and fingerprint of "
            "all questions and answers).",
            f"Put the data back, name another output_dir, or take resume.allow=[{key}].",
        )
    report(f"resume.allow: {key}: the training problems differ from the checkpoint's; their order starts again")


def is_same_dataset(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two origins name the same training problems; an origin from before they were named does."""
    return bool(before.get("data", now.get("data")) == now.get("data"))
