"""`tvo list`: what conf/ offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from tvo_cli.cli.completion import complete_group
from tvo_cli.errors import UserError

GROUP_HELP = "algorithms, models, datasets, rewards, loggers, experiments …; without one: the groups"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("list")(listing)


def listing(
    group: Annotated[
        str | None, typer.Argument(metavar="GROUP", help=GROUP_HELP, autocompletion=complete_group)
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table for a page.")] = False,
    page: Annotated[bool, typer.Option("--page", help="docs/algorithms.md, of the algorithms.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="A JSON schema of the group's yamls, for editors.")] = False,
) -> None:
    """List what a config group offers, one line each: name, what it is, what it changes, paper, fidelity."""
    from tvo_cli import config

    if group is None and schema:
        raise UserError("--schema", "", "is of a group.", "tvo list rollout --schema")
    if group is None:
        rows = [[name, ", ".join(config.names(name))] for name in config.groups()]
        _show(("group", "choices"), rows, markdown=markdown)
        return
    found = config.group_called(group)
    if page:
        _page(found)
        return
    if schema:
        _schema(found)
        return
    parts = [(name, config.take_apart(config.about(found, name))) for name in config.names(found)]
    rows = [[name, about.what, about.changes, about.paper, _fidelity(found, name)] for name, about in parts]
    _show((found, "what it is", "what it changes", "paper", "fidelity"), rows, markdown=markdown)


def _show(headings: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> None:
    """A table for a page; for a reader each name beside its sentences."""
    from tvo_cli.cli import render

    if markdown:
        render.table(headings, rows, markdown=True)
    else:
        render.definitions([(row[0], _sentences(row[1:])) for row in rows])


def _sentences(cells: Sequence[str]) -> str:
    """`GRPO: group z-score …. Changes PPO at: estimator. arXiv:2402.03300, official code.`"""
    what, changes, paper, fidelity = [*cells, "", "", ""][:4]
    source = ", ".join(part for part in (paper, fidelity) if part)
    parts = (what, f"Changes {changes}" if changes else "", source)
    return ". ".join(part for part in parts if part) + ("." if len(cells) > 1 else "")


def _fidelity(group: str, name: str) -> str:
    """After what an algorithm was written: official code, paper, notes, or the algorithm it is an ablation of."""
    from tvo_cli.cli import algorithms

    return algorithms.grade(algorithms.fidelity(name)) if group == "algorithm" else ""


def _page(group: str) -> None:
    from tvo_cli.cli import algorithms_page

    if group != "algorithm":
        raise UserError("--page", group, "there is a page of the algorithms only.", "Take --markdown for a table.")
    print(algorithms_page.page())


def _schema(group: str) -> None:
    import json

    from tvo_cli.config.schema import editor_schema

    print(json.dumps(editor_schema(group), indent=1, ensure_ascii=False))
