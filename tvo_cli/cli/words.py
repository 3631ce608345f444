"""The words after a command: Hydra's, untouched, with completion; and the two flags that are ours."""

from __future__ import annotations

from typing import Annotated

import typer

from tvo_cli.cli.completion import complete, complete_eval, complete_sft

UNTOUCHED = {"allow_extra_args": True, "ignore_unknown_options": True}

HELP = "Hydra's words, untouched: algorithm=grpo seed=1,2 -m +new.key=1 'a.b=[1,2]' --cfg job"
Overrides = Annotated[list[str] | None, typer.Argument(help=HELP, autocompletion=complete, metavar="OVERRIDES…")]
EvalOverrides = Annotated[
    list[str] | None, typer.Argument(help=HELP, autocompletion=complete_eval, metavar="OVERRIDES…")
]
SftOverrides = Annotated[list[str] | None, typer.Argument(help=HELP, autocompletion=complete_sft, metavar="OVERRIDES…")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the resolved config and derived sizes; start nothing.")]
