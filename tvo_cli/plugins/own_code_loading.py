"""Loading of a user's own code: the file or module that a config names, and the function in it.

What runs is what is on the disk now, with what lies beside it, and its import leaves the command's output alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.nearest_names import closest_names
from tvo_cli.plugins import registry
from tvo_cli.plugins.code_sources import (
    INSTALLED,
    code_fingerprint,
    find_source,
    fingerprint_of_contents,
    is_file_name,
    module_of_reference,
    source_contents,
    source_files,
)
from tvo_cli.plugins.own_traceback import own_code_lines

PATIENCE = 20.0  # seconds of an import until it is named: large packages take less
_own_folders: list[str] = []  # of own files, at the end of sys.path
_neighbours: dict[str, tuple[Path, bytes]] = {}  # file and bytes of what lies beside own files, when it was imported
_packages: dict[str, tuple[Path, str]] = {}  # folder and fingerprint of packages when they were imported
PREFIX = "tvo_own_"  # of the module names under which files are loaded: none that a package has
_loaded: dict[str, tuple[str, ModuleType]] = {}
_files: dict[Path, frozenset[Path]] = {}  # by the file, or folder of a package, that is loaded


def loaded_files() -> frozenset[Path]:
    """All files that own code was loaded from in this process, with what lies beside them and is imported."""
    return frozenset[Path]().union(*_files.values())


def load_callable(key: str, reference: str) -> Callable[..., Any]:
    """Load the function or class that `my_rewards.py:brevity` or `package.module:name` names.

    `key`: the config key in which it stands, for the error.

    Raises:
        UserError: no such file, module or name; the file fails when it is imported; the name is not callable.
    """
    name = module_of_reference(reference)
    attribute = reference[len(name) + 1 :]
    if not attribute or not name:
        raise UserError(key, reference, "names no function.", "Write FILE.py:NAME or package.module:NAME.")
    found: Any = load_module(key, name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UserError(key, reference, f"{name} has no {attribute}.", _nearest(attribute, found))
        found = getattr(found, part)
    if not callable(found):
        raise UserError(key, reference, f"is {type(found).__name__}, not a function or a class.")
    return found  # type: ignore[no-any-return]


def load_module(key: str, name: str) -> ModuleType:
    """Load the module of `./mine.py` or `package.module`; code that has changed since is loaded anew.

    A file may import what lies beside it: its folder goes behind all others of `sys.path` but those of other own files.

    Raises:
        UserError: there is none, or it fails when it is imported; the line of the failure is named.
    """
    source = find_source(key, name)
    if source is not None and name.partition(".")[0] != "tvo_cli":
        _files[source] = frozenset(source_files(source))
    try:
        with import_kept_apart(name):
            return _load_file(key, source) if source and is_file_name(name) else _import_package(name, source)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(key, name, f"cannot be imported: {describe_own_code_failure(error)}.") from error


def _import_package(name: str, source: Path | None) -> ModuleType:
    """Import a package or module of the user's by its name, anew where it has changed."""
    if source is not None:
        forget_changed_package(name.partition(".")[0], source)
    return importlib.import_module(name)


def _load_file(key: str, path: Path) -> ModuleType:
    """Load a Python file of the user's as a module, once as long as it does not change."""
    name = PREFIX + path.stem.replace(".", "_") + "_" + hashlib.sha256(str(path).encode()).hexdigest()[:8]
    fingerprint = code_fingerprint(key, str(path))
    if name in _loaded and _loaded[name][0] == fingerprint:
        return _loaded[name][1]
    if path.suffix != ".py":
        raise UserError(key, path, "is not a Python file.", "Its name must end in .py.")
    spec = importlib.util.spec_from_file_location(name, path, loader=SourceLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise UserError(key, path, "cannot be imported.")
    import_neighbours_of(key, path, anew=name in _loaded)
    module = importlib.util.module_from_spec(spec)
    registry.forget_registrations(name)
    sys.modules[name] = module  # before it runs: dataclasses and pickling look a module up by its name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _loaded[name] = (fingerprint, module)
    return module


def describe_own_code_failure(error: BaseException) -> str:
    """Return an error of loaded own code in words: its kind, its text, the last line of own code that raised it."""
    last = next(reversed(own_code_lines(error, loaded_files())), None)
    where = f" ({last.path.name}, line {last.number})" if last else ""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}".rstrip(": ") + where


def _nearest(word: str, module: Any) -> str:
    """The names of loaded own code that a mistyped function of a config may stand for."""
    public = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    close = closest_names(word, public) or sorted(public)[:8]
    return f"Nearest: {', '.join(close)}." if close else ""


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
    """Say on standard error which own code takes so long to load."""
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
    if folder not in sys.path or folder in _own_folders:
        _put_before_other_own_folders(folder)
    importlib.invalidate_caches()
    beside = {_neighbour_name(file, path.parent): file for file in source_files(path) if file != path}
    now = {name: (file, file.read_bytes()) for name, file in beside.items()}
    changed = anew or any(_neighbours.get(name, one) != one for name, one in now.items())
    for name, file in beside.items():
        if name in _neighbours and (changed or _neighbours[name][0] != file):  # no module that others have imported
            _forget_module(name)
    for name in beside.keys() - sys.stdlib_module_names:
        if "." not in name:
            _check_neighbour_is_found(key, path, name, beside[name])
    _neighbours.update(now)


def _neighbour_name(file: Path, folder: Path) -> str:
    """The module name under which what lies beside own code is imported."""
    return ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


def _put_before_other_own_folders(folder: str) -> None:
    """Have Python look into a folder of own code before the others of its kind, and after all else."""
    sys.path[:] = [one for one in sys.path if one not in _own_folders]
    _own_folders[:] = [folder, *(one for one in _own_folders if one != folder)]
    sys.path += _own_folders


def _check_neighbour_is_found(key: str, path: Path, name: str, file: Path) -> None:
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
            _forget_module(module)
    _packages[name] = now


def _forget_module(module: str) -> None:
    """Have a module of own code imported anew: its registrations go with it."""
    if module.partition(".")[0] in sys.stdlib_module_names:
        return
    registry.forget_registrations(module)
    sys.modules.pop(module, None)
