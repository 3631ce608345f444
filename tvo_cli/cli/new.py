"""`tvo new`: a yaml, a function and a test of an algorithm, reward or data set of one's own, to begin from."""

from __future__ import annotations

import keyword
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import Debug
from tvo_cli.errors import UserError

KINDS = ("algorithm", "reward", "dataset")


def add_to(app: typer.Typer) -> None:
    """Register `tvo new`."""
    app.command("new")(new)


def new(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help=", ".join(KINDS), autocompletion=lambda incomplete: list(KINDS))
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="of the function, the file and the choice")],
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="where; default: here, in a clone of tvo own/")
    ] = None,
    debug: Debug = False,
) -> None:
    """Write a yaml, a function and a test of your own, which run as they are; nothing is overwritten."""
    from tvo_cli.plugins.templates import rendered

    if kind not in KINDS:
        raise UserError("KIND", kind, "there is no template of it.", f"Choose {', '.join(KINDS)}.")
    folder = _folder_of_own(folder)
    files = {folder / path: text for path, text in rendered(kind, name).items()}
    schema = folder / "conf" / "schema" / f"{kind}.json"
    taken = [path for path in files if path.exists() or path.is_symlink()]
    _check_name(kind, name, is_here=bool(taken))
    if taken:
        raise UserError("NAME", name, f"{taken[0]} is there already.", "Take another name; nothing was written.")
    if not schema.exists():
        files[schema] = _schema_of_new_yaml(kind)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    for line in (*(f"wrote {path}" for path in files), *_next_lines(kind, name, folder)):
        print(escaping.terminal(line))


def _folder_of_own(given: Path | None) -> Path:
    """Return the folder to write to: not, unless it is named, the one whose conf/ is tvo's own."""
    from tvo_cli import config
    from tvo_cli.config.search_path import OWN

    folder = Path() if given is None else given
    if (folder / config.conf_dir().name).resolve() != config.conf_dir().resolve():
        return folder
    if given is None:
        print(f"conf/ here is tvo's own, so your files go to {OWN}/; --dir writes elsewhere")
        return Path(OWN)
    print(f"{escaping.terminal(folder / 'conf')} is tvo's own: what is written there is a choice of this clone")
    return folder


def _check_name(kind: str, name: str, *, is_here: bool) -> None:
    """Refuse a name that is no Python name, that Python has, or that a choice has already."""
    from tvo_cli import config

    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or name.startswith(("_", "test_")):
        raise UserError("NAME", name, "is no name of a function.", "Take letters, digits and underscores: my_weight.")
    if name in sys.stdlib_module_names or name in ("torch", "pytest", "tvo_cli", "conf"):
        raise UserError("NAME", name, "is a module of that name already.", f"Take another: my_{name}.")
    if not is_here and name in config.choices_of_group(kind):
        raise UserError("NAME", name, f"{kind}={name} is there already.", f"Take another: my_{name}.")


def _schema_of_new_yaml(kind: str) -> str:
    import json

    from tvo_cli.config.schema import editor_schema

    return json.dumps(editor_schema(kind), indent=1, ensure_ascii=False) + "\n"


def _next_lines(kind: str, name: str, folder: Path) -> list[str]:
    """Return the commands to type next."""
    there = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    check = [f"tvo check-algorithm {name}"] if kind == "algorithm" else []
    test = f"pytest test_{name}.py" + ("" if find_spec("pytest") else "    (after: pip install pytest)")
    lines = [*there, *check, f"tvo train {kind}={name}", test]
    return [f"{'next' if not i else '    '}  {line}" for i, line in enumerate(lines)]
