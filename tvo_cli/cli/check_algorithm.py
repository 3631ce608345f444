"""`tvo check-algorithm`: the contract of an algorithm, a line a check."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import PASS_ARGUMENTS_THROUGH, ConfigDir, Debug

WHAT = "mine.py:my_weight, my_package.maths:weight, or the name of an algorithm"
PIECE = "weight, surrogate, shape, ratio, reduce, estimator, step_rule, sampling; of a function that is not registered"
START = "the algorithm whose piece it takes the place of"


def add_to(app: typer.Typer) -> None:
    """Register `tvo check-algorithm`."""
    app.command("check-algorithm", context_settings=PASS_ARGUMENTS_THROUGH)(check_algorithm)


def check_algorithm(
    algorithm: Annotated[str, typer.Argument(metavar="ALGORITHM", help=WHAT)],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings of it.")] = None,
    piece: Annotated[str | None, typer.Option("--piece", help=PIECE)] = None,
    start: Annotated[str, typer.Option("--start", help=START)] = "grpo",
    no_run: Annotated[bool, typer.Option("--no-run", help="Without the small run that is resumed.")] = False,
    config_dir: ConfigDir = None,
    debug: Debug = False,
) -> None:
    """Check what must hold of any algorithm, a line a check; exit code 1 where one does not."""
    from tvo_cli.cli.startup_message import announce_on_stderr, say_repeated_keys

    announce_on_stderr("tvo check-algorithm", "loading torch")
    from tvo_cli.experiment.algorithm_to_check import algorithm_to_check, small_run_config

    words = algorithm_to_check(algorithm, list(overrides or ()), piece, start)
    say_repeated_keys("tvo check-algorithm", words)
    small_run_config(words)  # what cannot be composed is refused before torch is loaded
    from tvo_cli.experiment import check_algorithm as checks

    counts = Counter[str]()
    for sentence, trouble in checks.check_algorithm(words, runs=not no_run):
        word = "--  " if trouble.startswith(checks.NOT_RUN) else "FAIL" if trouble else "pass"
        counts[word] += 1
        print(escaping.terminal(f"{word}  {sentence}{': ' + trouble if trouble else ''}"))
    broken, left = counts["FAIL"], counts["--  "]
    not_run = f", {left} not run" if left else ""
    print(escaping.terminal(f"{algorithm}: {broken or 'no'} check{'s' * (broken != 1)} failed{not_run}"))
    raise typer.Exit(1 if broken else 0)
