"""Which checkpoint of a run folder a policy is loaded from: the last, the best or a named one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.file_digest import file_sha256

CHECKPOINTS, POLICY, STATE = "checkpoints", "policy", "state.json"


def resolve_policy_checkpoint(path: str, checkpoint: str = "last") -> str:
    """The folder of a policy: of a run folder its last, best or a named checkpoint; any other path as it is.

    Last and best are chosen among whole checkpoints. Best: the highest score that was known when it was saved, of the
    evaluation of that step where the run had evaluations, of the fresh accuracy else; of equals the later.
    """
    folder = Path(path).expanduser()
    if _holds_policy(folder):  # a checkpoint itself
        return str(folder / POLICY)
    root = folder / CHECKPOINTS
    if not root.is_dir():
        return path
    choose = {"last": _last_policy, "best": _best_policy}.get(checkpoint)
    seen: list[str] | None = None
    while (found := sorted(entry.name for entry in root.iterdir() if _holds_policy(entry))) != seen:
        wanted = choose(root, [name for name in found if name.startswith("step-")]) if choose else checkpoint
        if wanted in found:
            return str(root / wanted / POLICY)
        seen = found  # and once more: a run that goes on may have removed what was looked at, and has a newer one
    there = f"There are: {', '.join(found)}." if found else "None has been written yet."
    raise UserError("model.checkpoint", checkpoint, f"{folder} has no such checkpoint.", there)


def _holds_policy(checkpoint: Path) -> bool:
    """Whether a checkpoint has a model, or an adapter."""
    return any((checkpoint / POLICY / name).is_file() for name in ("config.json", "adapter_config.json"))


def _last_policy(root: Path, names: Sequence[str]) -> str:
    """The last of a run's checkpoints that holds a whole policy to load; "" where none does."""
    return next((name for name in reversed(names) if _is_policy_whole(root / name)), "")


def _best_policy(root: Path, names: Sequence[str]) -> str:
    scores = {
        name: _policy_checkpoint_score(root / name)
        for name in names
        if "update" not in name and _is_policy_whole(root / name)
    }
    known = [(score, name) for name, score in scores.items() if score is not None]
    return max(known)[1] if known else ""


def _is_policy_whole(folder: Path) -> bool:
    """Whether the state and the policy are those that the manifest names, byte by byte."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        needed = [name for name in manifest if name == STATE or name.startswith(f"{POLICY}/")]
        return STATE in needed and all(manifest[name]["sha256"] == file_sha256(folder / name) for name in needed)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _policy_checkpoint_score(folder: Path) -> float | None:
    try:
        return float(json.loads((folder / STATE).read_text(encoding="utf-8"))["counters"]["score"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
