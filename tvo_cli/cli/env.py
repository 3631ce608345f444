"""`tvo env`: what a run would find here, on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from tvo_cli.cli.override_args import Debug

FORMATS = ("text", "json")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("env")(env)


def env(
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, json")] = "text",
    debug: Debug = False,
) -> None:
    """Show versions, device, fast paths that are on or off and why, configurations, hub, W&B and extras."""
    import json

    from tvo_cli.cli import render
    from tvo_cli.cli.startup_message import announce
    from tvo_cli.errors import UserError

    if form not in FORMATS:
        raise UserError("--format", form, "there is no such format.", f"Formats: {', '.join(FORMATS)}.")
    announce("tvo env", "asking torch and transformers")
    found = gathered()
    if form == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        render.definitions(list(entries(found)))


def gathered() -> dict[str, Any]:
    """The facts of a run's versions.json, for no run."""
    from tvo_cli import environment
    from tvo_cli.tracking import run_folder

    around = environment.here()
    return {**run_folder.versions(), "environment": around}


def entries(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and what is said of each."""
    around = found["environment"]
    packages = dict(found["packages"])
    yield "tvo", _joined([packages.pop("tvo-cli", "?"), _commit(found["git"])])
    yield "python", f"{found['python']}, {found['platform']}"
    yield "packages", _joined(f"{name} {version}" for name, version in packages.items())
    yield "cpu", _joined([around["cpu"], *around["cpu_features"], f"torch uses {around['cpu_kernels']}"])
    yield "device", _joined([around["device"], around["precision"], *around["gpus"], *_threads(around)])
    for index, (name, path) in enumerate(around["fast_paths"].items()):
        yield ("fast paths" if index == 0 else ""), f"{'on ' if path['on'] else 'off'} {name}: {path['why']}"
    yield "configs", around["configs"]
    hub = around["hub"]
    yield "hub", _joined(["offline" if hub["offline"] else "online", f"token {hub['token']}", f"cache {hub['cache']}"])
    yield "W&B", _joined([around["wandb"]["mode"], f"key {around['wandb']['key']}"])
    for index, (extra, line) in enumerate(_extras(around["extras"])):
        yield ("extras" if index == 0 else ""), f"{extra}: {line}"


def _threads(around: Mapping[str, Any]) -> Iterator[str]:
    yield f"{around['threads']} threads of {around['processors']} processors"
    if around["isa_limit"]:
        yield f"ONEDNN_MAX_CPU_ISA={around['isa_limit']}"


def _extras(found: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    from tvo_cli.environment.services import install_line

    for extra, packages in found.items():
        lacking = [name for name, version in packages.items() if version == "missing"]
        yield extra, f"missing; {install_line(extra)}" if lacking else _joined(f"{n} {v}" for n, v in packages.items())


def _commit(git: Mapping[str, Any] | None) -> str:
    return f"commit {git['commit'][:10]}{', changed since' if git['dirty'] else ''}" if git else ""


def _joined(parts: Any) -> str:
    return ", ".join(str(part) for part in parts if part)
