"""Typer's declarations of the arguments that pass to Hydra, and of the options shared by commands."""

from __future__ import annotations

from typing import Annotated

import typer

from tvo_cli.cli.completion import complete, complete_eval, complete_sft

PASS_ARGUMENTS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


def use_config_dir(folder: str | None) -> str | None:
    """Take the folder of --config-dir, or none in place of an earlier command's; also while words are completed."""
    from tvo_cli import config

    return config.use_config_dir(folder)


HELP = "Hydra's words, untouched: algorithm=grpo seed=1,2 -m +new.key=1 'a.b=[1,2]'"
Overrides = Annotated[list[str] | None, typer.Argument(help=HELP, autocompletion=complete, metavar="KEY=VALUE")]
EvalOverrides = Annotated[
    list[str] | None, typer.Argument(help=HELP, autocompletion=complete_eval, metavar="KEY=VALUE")
]
SftOverrides = Annotated[list[str] | None, typer.Argument(help=HELP, autocompletion=complete_sft, metavar="KEY=VALUE")]
Multirun = Annotated[bool, typer.Option("-m", "--multirun", help="Run every combination of a,b values.")]
Shown = Annotated[str | None, typer.Option("--cfg", metavar="job|hydra|all", help="Show the config; start nothing.")]
ConfigDir = Annotated[
    str | None,
    typer.Option(
        "--config-dir",
        "-cd",
        metavar="DIR",
        callback=use_config_dir,
        help="A folder of configs of yours, besides ./conf.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
RankCount = Annotated[
    int | None, typer.Option("--ranks", metavar="N", help="With --dry-run: memory and traffic of N processes.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the resolved config and derived sizes; start nothing.")]


def hydra_arguments(overrides: list[str] | None, multirun: bool, cfg: str | None, config_dir: str | None) -> list[str]:
    """Return the command line for Hydra: its options, declared here for --help alone, and the overrides as typed."""
    flags = ["--multirun"] if multirun else []
    for flag, value in (("--cfg", cfg), ("--config-dir", config_dir)):
        flags += [flag, value] if value is not None else []
    return [*flags, *(overrides or ())]
