"""The mirrors that `logger` asks for: one, several at once, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking.mirrors.mirror import FailSafeMirror, Mirror

NONE = "none"


def mirrors_of_logger(node: Any) -> list[FailSafeMirror]:
    """Return the mirrors that `logger` asks for; a mirror's module is imported only when it is used."""
    return [FailSafeMirror(_mirror_of_name(name, node), name) for name in names_of_mirrors(node)]


def names_of_mirrors(node: Any) -> list[str]:
    """Return the names of the mirrors that `logger` asks for.

    Each yaml of conf/logger/ puts itself into `logger.mirrors`, which Hydra merges: `logger=[wandb,trackio]` has both.
    `logger.name` is the last of them; where somebody has set it to another, that one is meant alone.
    """
    name, chosen = str(node.name), node.get("mirrors") or {}
    if name == NONE:
        return []
    return [str(one) for one, on in chosen.items() if on] if chosen.get(name) else [name]


def _mirror_of_name(name: str, node: Any) -> Mirror:
    if name not in MAKERS:
        raise UserError("logger", name, "there is no such logger.", f"Loggers: {', '.join((NONE, *MAKERS))}.")
    return MAKERS[name](node)


def _make_wandb_mirror(node: Any) -> Mirror:
    from tvo_cli.tracking.mirrors.wandb_mirror import WandbMirror

    return WandbMirror(_project(node), str(node.get("mode", "auto")), system_charts=_system_charts(node))


def _make_tensorboard_mirror(node: Any) -> Mirror:
    from tvo_cli.tracking.mirrors.tensorboard_mirror import TensorboardMirror

    return TensorboardMirror()


def _make_trackio_mirror(node: Any) -> Mirror:
    from tvo_cli.tracking.mirrors.trackio_mirror import TrackioMirror

    return TrackioMirror(_project(node), system_charts=_system_charts(node))


def _make_mlflow_mirror(node: Any) -> Mirror:
    from tvo_cli.tracking.mirrors.mlflow_mirror import MlflowMirror

    return MlflowMirror(_project(node), system_charts=_system_charts(node))


def _project(node: Any) -> str:
    return str(node.get("project", "tvo"))


def _system_charts(node: Any) -> bool:
    return bool(node.get("system_charts", False))


MAKERS: dict[str, Callable[[Any], Mirror]] = {
    "wandb": _make_wandb_mirror,
    "tensorboard": _make_tensorboard_mirror,
    "trackio": _make_trackio_mirror,
    "mlflow": _make_mlflow_mirror,
}
