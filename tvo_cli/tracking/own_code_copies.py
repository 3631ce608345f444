"""Copies of a run's own code in its folder: what ran can be read, and run again, after the files have changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.plugins.code_sources import find_source, fingerprint_of_contents, is_file_name, source_contents
from tvo_cli.plugins.own_code_references import own_code_references
from tvo_cli.tracking.atomic_files import write_bytes_atomically

FOLDER = "own_code"
BUILT_IN = "built-in"  # in place of a sha256: comes with Python


def folder_of_own_code(run: Path, source: str, sha256: str) -> Path:
    """Return where a run keeps a file or package of own code: `own_code/mine-1a2b3c4d`."""
    return run / FOLDER / f"{Path(source).stem}-{sha256[:8]}"


def copy_own_code(run: Path, config: Any) -> None:
    """Copy the own code that a config records into the run folder; a package lies in a folder of its name.

    Raises:
        UserError: a file has changed since the config was composed, which was a moment ago.
    """
    for source, sha256 in configuration.recorded_own_code(config).items():
        path = find_source(FOLDER, source)
        if path is None:
            continue
        contents = source_contents(path)
        if fingerprint_of_contents(contents) != sha256:
            raise UserError(FOLDER, source, "has changed while the run was starting.", "Start it again.")
        inside = [path.name] if path.is_dir() else []
        for name, content in contents.items():
            write_bytes_atomically(folder_of_own_code(run, source, sha256).joinpath(*inside, name), content)


def check_own_code_of_run(run: Path, config: Any) -> None:
    """Make sure that the own code of a recorded run is what it was, and the user's: nothing of it is run.

    Raises:
        UserError: a file has changed or is gone, or lies in the run folder, which somebody else may have made.
    """
    for source, sha256 in configuration.recorded_own_code(config).items():
        kept = folder_of_own_code(run, source, sha256)
        remedy = f"--recorded-code runs the copy in {kept}: only where you trust whoever made this run."
        try:
            path = find_source(FOLDER, source)
        except UserError as error:
            raise UserError(FOLDER, source, error.problem, remedy) from error
        if path is None:
            continue
        if path.is_relative_to(run.resolve()):
            raise UserError(FOLDER, source, "lies in the run folder itself.", remedy)
        if fingerprint_of_contents(source_contents(path)) != sha256:
            problem = f"has changed since the run in {run} (recorded: sha256 {sha256[:12]}…)."
            raise UserError(FOLDER, source, problem, f"Put it back, or: {remedy}")


def config_with_code_copies(run: Path, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded config that names the copies in the run folder; packages are found there from now on.

    Raises:
        UserError: a copy is not there, or is not what ran.
    """
    copies = {
        source: _recorded_copy(run, source, sha256)
        for source, sha256 in configuration.recorded_own_code(tree).items()
        if sha256 != BUILT_IN
    }
    sys.path[:0] = [str(folder) for source, folder in copies.items() if not is_file_name(source)]
    renamed = {
        one.name: one.name.replace(one.source, str(copies[one.source] / Path(one.source).name), 1)
        for one in own_code_references(tree)
        if is_file_name(one.source)
    }
    found: dict[str, Any] = _naming_copies_of_own_code(tree, renamed)
    return found


def _recorded_copy(run: Path, source: str, sha256: str) -> Path:
    """The folder of the copy that a run has of own code; refused where the copy was changed since."""
    folder = folder_of_own_code(run, source, sha256)
    root = folder / (Path(source).name if is_file_name(source) else source)
    if not root.exists() or fingerprint_of_contents(source_contents(root)) != sha256:
        raise UserError("--recorded-code", folder, f"is not what ran of {source}.", "Put the file back in its place.")
    return folder


def _naming_copies_of_own_code(tree: Any, renamed: Mapping[str, str]) -> Any:
    """The config, in which references to own code (by `renamed`) name the copies in the run folder."""
    if isinstance(tree, Mapping):
        return {name: _naming_copies_of_own_code(value, renamed) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_naming_copies_of_own_code(value, renamed) for value in tree]
    return renamed.get(tree, tree) if isinstance(tree, str) else tree
