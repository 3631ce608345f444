"""`tvo list`: the groups of conf/ and their choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from tvo_cli.cli.completion import complete_group
from tvo_cli.errors import UserError

GROUP_HELP = "algorithms, models, datasets, rewards, loggers, experiments …; without one: the groups"


def add_to(app: typer.Typer) -> None:
    """Register `tvo list`."""
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
        rows = [[name, ", ".join(config.choices_of_group(name))] for name in config.config_groups()]
        _print_choices(("group", "choices"), rows, markdown=markdown)
        return
    found = config.find_group(group)
    if page:
        _print_algorithms_page(found)
        return
    if schema:
        _print_editor_schema(found)
        return
    parts = [
        (name, config.parse_choice_comment(config.choice_comment(found, name)))
        for name in config.choices_of_group(found)
    ]
    rows = [[name, about.what, about.changes, about.paper, _fidelity_of_choice(found, name)] for name, about in parts]
    _print_choices((found, "what it is", "what it changes", "paper", "fidelity"), rows, markdown=markdown)


def _print_choices(headings: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> None:
    """Print a group's choices: a Markdown table, or each name beside its sentences."""
    from tvo_cli.cli import printing

    if markdown:
        printing.print_table(headings, rows, markdown=True)
    else:
        printing.print_definitions([(row[0], _choice_sentences(row[1:])) for row in rows])


def _choice_sentences(cells: Sequence[str]) -> str:
    """Return a choice as sentences: `GRPO: group z-score …. Changes PPO at: estimator. arXiv:2402.03300.`"""
    what, changes, paper, fidelity = [*cells, "", "", ""][:4]
    source = ", ".join(part for part in (paper, fidelity) if part)
    parts = (what, f"Changes {changes}" if changes else "", source)
    return ". ".join(part for part in parts if part) + ("." if len(cells) > 1 else "")


def _fidelity_of_choice(group: str, name: str) -> str:
    """Return an algorithm's fidelity: official code, paper, notes, or the algorithm it is an ablation of."""
    from tvo_cli.cli import algorithm_descriptions

    return (
        algorithm_descriptions.fidelity_grade(algorithm_descriptions.algorithm_fidelity(name))
        if group == "algorithm"
        else ""
    )


def _print_algorithms_page(group: str) -> None:
    """Print docs/algorithms.md (`tvo list algorithms --page`)."""
    from tvo_cli.cli import algorithms_page

    if group != "algorithm":
        raise UserError("--page", group, "there is a page of the algorithms only.", "Take --markdown for a table.")
    print(algorithms_page.algorithms_page_text())


def _print_editor_schema(group: str) -> None:
    """Print a group's JSON schema for editors (`tvo list GROUP --schema`)."""
    import json

    from tvo_cli.config.schema import editor_schema

    print(json.dumps(editor_schema(group), indent=1, ensure_ascii=False))
