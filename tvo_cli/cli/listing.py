"""`tvo list`: the groups of conf/ and their choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from tvo_cli.cli.completion import complete_group
from tvo_cli.cli.override_args import ConfigDir, Debug
from tvo_cli.errors import UserError

GROUP_HELP = "algorithms, models, datasets, rewards, loggers, experiments, plugins …; without one: the groups"
NO_RECIPES = "not recipes: settings, readings, protocols"
PLUGINS_HELP = "plugins=[./mine.py]: with what these register"


def add_to(app: typer.Typer) -> None:
    """Register `tvo list`."""
    app.command("list")(listing)


def listing(
    group: Annotated[
        str | None, typer.Argument(metavar="GROUP", help=GROUP_HELP, autocompletion=complete_group)
    ] = None,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help=PLUGINS_HELP)] = None,
    config_dir: ConfigDir = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table for a page.")] = False,
    page: Annotated[bool, typer.Option("--page", help="docs/algorithms.md, of the algorithms.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="A JSON schema of the group's yamls, for editors.")] = False,
    debug: Debug = False,
) -> None:
    """List what a config group offers, one line each: name, what it is, what it changes, paper, fidelity."""
    from tvo_cli import config

    words = [word for word in (group, *(overrides or ())) if word and "=" in word]
    _refuse_other_settings(words)
    named = None if group is None or "=" in group else group
    with config.plugins_in_effect(words, ""):
        if page or schema:
            _print_page_or_schema(named, page=page)
        else:
            _print_group(named, markdown=markdown)


def _refuse_other_settings(words: Sequence[str]) -> None:
    """Refuse settings that change nothing of a list."""
    for word in words:
        key, _, value = word.partition("=")
        if key != "plugins":
            raise UserError(key, value, "changes no list.", f"A list reads {PLUGINS_HELP.partition(':')[0]} alone.")


def _print_page_or_schema(group: str | None, *, page: bool) -> None:
    from tvo_cli import config

    if group is None:
        raise UserError("--page" if page else "--schema", "", "is of a group.", "tvo list rollout --schema")
    found = config.find_group(group)
    _print_algorithms_page(found) if page else _print_editor_schema(found)


def _print_group(group: str | None, *, markdown: bool) -> None:
    """Print the groups, the plugins, or what one group offers."""
    from tvo_cli import config

    if group is None:
        rows = [[name, ", ".join(config.choices_of_group(name))] for name in config.config_groups()]
        _print_choices(("group", "choices"), rows, markdown=markdown)
    elif group in ("plugin", "plugins"):
        _print_choices(("plugin", "named by, and what it registers"), _rows_of_plugins(), markdown=markdown)
    else:
        found = config.find_group(group)
        rows = [_row_of_choice(found, name) for name in config.choices_of_group(found)]
        headings = (found, "what it is", "what it changes", "paper", "fidelity", "origin")
        width = 6 if any(row[5] for row in rows) else 5
        _print_choices(headings[:width], [row[:width] for row in rows], markdown=markdown)
        if found == "algorithm":
            _print_methods_elsewhere(markdown=markdown)


def _print_methods_elsewhere(*, markdown: bool) -> None:
    """Print the methods that are no algorithm: name, how each is had or why not, paper, fidelity."""
    from tvo_cli.cli.algorithm_descriptions import fidelity_grade
    from tvo_cli.cli.methods_elsewhere import METHODS_ELSEWHERE

    print(f"\n{NO_RECIPES}\n")
    rows = [[one.name, one.setting, one.paper, fidelity_grade(one.fidelity)] for one in METHODS_ELSEWHERE]
    headings = ("method", "setting", "paper", "fidelity")
    if markdown:
        _print_choices(headings, rows, markdown=True)
    else:
        pairs = zip(METHODS_ELSEWHERE, rows, strict=True)
        _print_choices(
            headings, [[name, how or one.why, "", *rest] for one, (name, how, *rest) in pairs], markdown=False
        )


def _row_of_choice(group: str, name: str) -> list[str]:
    """Return name, what it is, what it changes, paper, fidelity, and whose it is where it is not ours."""
    from tvo_cli import config

    about = config.parse_choice_comment(config.choice_comment(group, name))
    return [
        name,
        about.what.removeprefix(f"{name}: "),  # it stands beside the name
        about.changes,
        about.paper,
        _fidelity_of_choice(group, name),
        config.origin_of_choice(group, name),
    ]


def _rows_of_plugins() -> list[list[str]]:
    """Return each plugin's name, who names it, and what it registers; one that cannot be loaded is refused."""
    from tvo_cli import config
    from tvo_cli.plugins.plugin_loading import load_plugin

    rows = []
    for one in config.all_plugins():
        folders = load_plugin(one.origin, one.name).folders
        choices = [f"{path.parent.name}={path.stem}" for folder in folders for path in sorted(folder.glob("*/*.yaml"))]
        rows.append([one.name, f"named by {one.origin}; registers {', '.join(choices) or 'no choice'}"])
    return rows


def _print_choices(headings: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> None:
    """Print a group's choices: a Markdown table, or each name beside its sentences."""
    from tvo_cli.cli import printing

    if markdown:
        printing.print_table(headings, rows, markdown=True)
    else:
        printing.print_definitions([(row[0], _listed_choice_sentences(row[1:])) for row in rows])


def _listed_choice_sentences(cells: Sequence[str]) -> str:
    """Return a choice as sentences: `GRPO: group z-score …. Changes PPO at: estimator. arXiv:2402.03300.`"""
    what, changes, paper, fidelity, origin = [*cells, "", "", "", ""][:5]
    source = ", ".join(part for part in (paper, fidelity) if part)
    parts = (what, f"Changes {changes}" if changes else "", source, f"From {origin}" if origin else "")
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
