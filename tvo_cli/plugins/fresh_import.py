"""The import of own code: what ran is what is on the disk now, and its import leaves the command's output alone."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.plugins import registry
from tvo_cli.plugins.code_sources import INSTALLED, fingerprint_of_contents, source_contents, source_files

PATIENCE = 20.0  # seconds of an import until it is named: large packages take less
_folders: list[str] = []  # of own files, at the end of sys.path
_neighbours: dict[str, tuple[Path, bytes]] = {}  # file and bytes of what lies beside own files, when it was imported
_packages: dict[str, tuple[Path, str]] = {}  # folder and fingerprint of packages when they were imported


class SourceLoader(SourceFileLoader):
    """Compiles a file from its text: bytecode beside it may be that of another text of the same second and size."""

    def path_stats(self, path: str | bytes) -> dict[str, float]:
        """There are none, so that no bytecode is read or written."""
        raise OSError(path)


@contextlib.contextmanager
def import_kept_apart(name: str) -> Iterator[None]:
    """What own code prints as it is imported goes to standard error, and the working folder stays.

    An import that takes long is named there too: it may be an endless loop, and nothing else would say so.
    """
    folder = Path.cwd()
    patience = threading.Timer(PATIENCE, _name_long_import, [name])
    patience.daemon = True
    patience.start()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        patience.cancel()
        os.chdir(folder)


def _name_long_import(name: str) -> None:
    print(
        f"tvo: {name}: its import takes more than {PATIENCE:.0f} s so far; Ctrl-C ends it", file=sys.stderr, flush=True
    )


def import_neighbours_of(key: str, path: Path, *, anew: bool) -> None:
    """Have a file find what lies beside it, as it is now, when it is imported.

    `anew`: the file was imported before, and it or one of them has changed.

    Raises:
        UserError: Python finds another module under the name of a file beside it.
    """
    folder = str(path.parent)
    if folder not in sys.path or folder in _folders:
        _put_before_other_own_folders(folder)
    importlib.invalidate_caches()
    beside = {_module_name(file, path.parent): file for file in source_files(path) if file != path}
    now = {name: (file, file.read_bytes()) for name, file in beside.items()}
    changed = anew or any(_neighbours.get(name, one) != one for name, one in now.items())
    for name, file in beside.items():
        if name in _neighbours and (changed or _neighbours[name][0] != file):  # no module that others have imported
            _forget(name)
    for name in beside.keys() - sys.stdlib_module_names:
        if "." not in name:
            _check_is_found(key, path, name, beside[name])
    _neighbours.update(now)


def _module_name(file: Path, folder: Path) -> str:
    return ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


def _put_before_other_own_folders(folder: str) -> None:
    sys.path[:] = [one for one in sys.path if one not in _folders]
    _folders[:] = [folder, *(one for one in _folders if one != folder)]
    sys.path += _folders


def _check_is_found(key: str, path: Path, name: str, file: Path) -> None:
    """Refuse a neighbour that an installed package hides: the fingerprint would be of code that does not run."""
    found = importlib.util.find_spec(name)
    place = found.origin if found else None
    if place is None or Path(place).resolve() != file.resolve():
        problem = f"imports {name}, and Python finds {place or 'none'} before {file.name} beside it."
        raise UserError(key, path, problem, f"Rename {file.relative_to(path.parent)}.")


def forget_changed_package(name: str, source: Path) -> None:
    """Have a package that has changed since its import imported anew; installed ones stay."""
    if set(INSTALLED) & set(source.parts):
        return
    now = (source, fingerprint_of_contents(source_contents(source)))
    if _packages.get(name, now) != now:
        importlib.invalidate_caches()
        for module in [one for one in sys.modules if f"{one}.".startswith(f"{name}.")]:
            _forget(module)
    _packages[name] = now


def _forget(module: str) -> None:
    if module.partition(".")[0] in sys.stdlib_module_names:
        return
    registry.forget_registrations(module)
    sys.modules.pop(module, None)
