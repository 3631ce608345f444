"""`tvo env`: what a run would find on this machine, on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from tvo_cli.cli.override_args import Debug

FORMATS = ("text", "json")


def add_to(app: typer.Typer) -> None:
    """Register `tvo env`."""
    app.command("env")(env)


def env(
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, json")] = "text",
    debug: Debug = False,
) -> None:
    """Show versions, device, fast paths that are on or off and why, configurations, hub, W&B and extras."""
    import json

    from tvo_cli.cli import printing
    from tvo_cli.cli.startup_message import announce_on_stderr
    from tvo_cli.errors import UserError

    if form not in FORMATS:
        raise UserError("--format", form, "there is no such format.", f"Formats: {', '.join(FORMATS)}.")
    announce_on_stderr("tvo env", "asking torch and transformers")
    from tvo_cli.environment import facts_to_record

    found = facts_to_record()
    if form == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        printing.print_definitions(list(environment_lines(found)))


def environment_lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the lines of `tvo env`: a name and what is known of it."""
    around = found["environment"]
    packages = dict(found["packages"])
    yield "tvo", _environment_line([packages.pop("tvo-cli", "?"), _checkout_commit_text(found["git"])])
    yield "python", f"{found['python']}, {found['platform']}"
    yield "packages", _environment_line(f"{name} {version}" for name, version in packages.items())
    yield "cpu", _environment_line([around["cpu"], *around["cpu_features"], f"torch uses {around['cpu_kernels']}"])
    yield (
        "device",
        _environment_line([around["device"], around["precision"], *around["gpus"], *_env_lines_of_threads(around)]),
    )
    for index, (name, path) in enumerate(around["fast_paths"].items()):
        yield ("fast paths" if index == 0 else ""), f"{'on ' if path['on'] else 'off'} {name}: {path['why']}"
    yield "configs", around["configs"]
    hub = around["hub"]
    yield (
        "hub",
        _environment_line(
            [
                "offline (HF_HUB_OFFLINE)" if hub["offline"] else "not asked whether it can be reached",
                f"token {hub['token']}",
                f"cache {hub['cache']}",
            ]
        ),
    )
    yield "W&B", _environment_line([f"mode {around['wandb']['mode']}", f"key {around['wandb']['key']}"])
    for index, (extra, line) in enumerate(_extra_lines(around["extras"])):
        yield ("extras" if index == 0 else ""), f"{extra}: {line}"


def _env_lines_of_threads(around: Mapping[str, Any]) -> Iterator[str]:
    """Yield the threads and the limit of the CPU's instruction set."""
    yield f"{around['threads']} threads of {around['processors']} processors"
    if around["isa_limit"]:
        yield f"ONEDNN_MAX_CPU_ISA={around['isa_limit']}"


def _extra_lines(found: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield each optional extra that is installed with its packages' versions, and how to install the others."""
    from tvo_cli.environment.services import install_line

    lacking = [extra for extra, packages in found.items() if "missing" in packages.values()]
    for extra in (extra for extra in found if extra not in lacking):
        yield extra, _environment_line(f"{name} {version}" for name, version in found[extra].items())
    if lacking:
        yield "missing", f"{', '.join(lacking)}; {install_line(lacking[0] if len(lacking) == 1 else 'NAME')}"


def _checkout_commit_text(git: Mapping[str, Any] | None) -> str:
    """Return the checkout's commit, and whether files have changed since."""
    return f"commit {git['commit'][:10]}{', changed since' if git['dirty'] else ''}" if git else ""


def _environment_line(parts: Any) -> str:
    """Return the facts of one line of `tvo env`, with commas between them and without empty ones."""
    return ", ".join(str(part) for part in parts if part)
