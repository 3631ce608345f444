"""`tvo`: the application and its entry point."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from tvo_cli import __version__, standard_streams
from tvo_cli.cli import (
    check_algorithm,
    compare,
    diagnose,
    env,
    evaluate,
    export,
    fetch,
    grade,
    listing,
    ls,
    new,
    printing,
    prune,
    replay,
    sft,
    train,
    user_account,
    variance,
    watch,
)
from tvo_cli.job.failure_description import INTERRUPTED
from tvo_cli.parallel.launched_process import launched_process

ON_RANKS = ("train",)
EPILOG = "First: tvo train (a minute on a laptop). Then: tvo list algorithms; tvo train algorithm=grpo."

app = typer.Typer(
    name="tvo",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help costs 0.1 s
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    help="Train language models with reinforcement learning and see whether it is stable.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    """Print the version, for `tvo --version`."""
    if asked:
        typer.echo(f"tvo {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


train.add_to(app)
sft.add_to(app)
evaluate.add_to(app)
grade.add_to(app)
variance.add_to(app)
replay.add_to(app)
compare.add_to(app)
diagnose.add_to(app)
listing.add_to(app)
check_algorithm.add_to(app)
new.add_to(app)
ls.add_to(app)
watch.add_to(app)
prune.add_to(app)
export.add_to(app)
env.add_to(app)
fetch.add_to(app)


def main(words: list[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 2 user error, 75 stopped and saved, 130 interrupted, 1 internal."""
    given = sys.argv[1:] if words is None else words
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # the hub's retries say nothing that our own line does not
    with standard_streams.guarded_streams():
        user_account.complete_user_account()
        return _flush_output(_invoke_app(given))


def _invoke_app(given: list[str]) -> int:
    """Run the Typer app; return the exit code, whatever happens."""

    try:
        if code := _refused_on_ranks(given):
            return code
        code = app(args=given, prog_name="tvo", standalone_mode=False)
    except standard_streams.OutputLost as lost:
        return 0 if lost.quiet else printing.report_failure(lost)
    except (KeyboardInterrupt, Exception) as error:  # every failure becomes a line and a code
        return printing.report_failure(error, debug="--debug" in given)
    except SystemExit as leaving:  # argparse inside Hydra, shell completion
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    if code == INTERRUPTED and launched_process().leads:  # Typer has made a code of it, without a word
        printing.report_failure(KeyboardInterrupt())
    return code if isinstance(code, int) else 0


def _refused_on_ranks(given: list[str]) -> int:
    """Refuse a command that runs in one process where a launcher has started several; 0: it is none."""
    place = launched_process()
    if place.count == 1 or (given and given[0] in ON_RANKS):
        return 0
    from tvo_cli.cli.launched_ranks import refuse_ranks

    return refuse_ranks(given[0] if given else "", place)


def _flush_output(code: int) -> int:
    """Flush standard output; return the exit code, which a full disk may change only now."""

    try:
        sys.stdout.flush()
    except standard_streams.OutputLost as lost:
        return code if lost.quiet else code or printing.report_failure(lost)
    return code


def run() -> None:
    """Run the console script `tvo`."""
    standard_streams.guard_streams()  # beyond main(): what libraries say at the exit must not change the exit code
    code = main()
    standard_streams.ignore_later_losses()
    sys.exit(code)
