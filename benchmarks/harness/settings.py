"""A benchmark's settings: declared once, read from the command line, kept in the record."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

Clock = Literal["wall", "cpu"]


class Settings(BaseModel):
    """Fields are options: `warm_up: int` is `--warm-up`; a tuple takes several values; a bool is a switch."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def option(default: Any, what: str, *, positional: bool = False, of_start: bool = False, **bounds: Any) -> Any:
    """A setting with its line of --help; `of_start`: another value is no other measurement."""
    extra: dict[str, Any] = {"positional": positional, "of_start": of_start}
    return Field(default=default, description=what, json_schema_extra=extra, **bounds)


def of_measurement(settings: type[Settings], values: Mapping[str, Any]) -> dict[str, Any]:
    """What rows that belong together have in common: all values but those of one start."""
    extras = {name: field.json_schema_extra for name, field in settings.model_fields.items()}
    alone = {name for name, extra in extras.items() if isinstance(extra, dict) and extra.get("of_start")}
    return {name: value for name, value in values.items() if name not in alone}


def add_options(parser: argparse.ArgumentParser, settings: type[Settings], quick: Mapping[str, Any]) -> None:
    """One option a setting; what is not given stays away, so that defaults and --quick can fill it."""
    for name, field in settings.model_fields.items():
        extra = field.json_schema_extra
        positional = isinstance(extra, dict) and bool(extra.get("positional"))
        default = _shown(field.get_default(call_default_factory=True))
        what = f"{field.description} (default: {default}{_quick(name, quick)})"
        flags = [name] if positional else [f"--{name.replace('_', '-')}"]
        parser.add_argument(*flags, default=argparse.SUPPRESS, help=what.replace("%", "%%"), **_how(field, positional))


def _how(field: FieldInfo, positional: bool) -> dict[str, Any]:
    """What argparse has to know of the type; pydantic checks and converts."""
    if field.annotation is bool:
        return {"action": "store_true"}
    inner, several = field.annotation, False
    if typing.get_origin(inner) is tuple:
        inner, several = typing.get_args(inner)[0], True
    nargs = ("*" if positional else "+") if several else "?" if positional else None
    found: dict[str, Any] = {} if nargs is None else {"nargs": nargs}
    if typing.get_origin(inner) is Literal:
        found["metavar"] = "{" + ",".join(map(str, typing.get_args(inner))) + "}"
    elif not positional:
        found["metavar"] = _noun(inner)
    return found


def _noun(kind: Any) -> str:
    return {int: "N", int | None: "N", float: "X", Path: "PATH"}.get(kind, "TEXT")


def _shown(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(str, value)) or "none"
    return "none" if value in ("", None) else str(value)


def _quick(name: str, quick: Mapping[str, Any]) -> str:
    return f"; --quick: {_shown(quick[name])}" if name in quick else ""
