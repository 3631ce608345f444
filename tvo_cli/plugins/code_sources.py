"""Which files a piece of own code consists of, and their fingerprint: found by reading, without running anything."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tvo_cli.errors import UserError

PROGRAM = __name__.partition(".")[0]
INSTALLED = ("site-packages", "dist-packages")  # folders of packages that pip has installed
REMEDY = "Name a file (./mine.py) or a module that Python can import (my_package.module)."


def is_file_name(name: str) -> bool:
    """Whether own code's source is named as a file (`./mine.py`), not as a module (`my_package.rewards`)."""
    return name.endswith(".py") or "/" in name or "\\" in name


def path_of_file_name(name: str) -> Path:
    """The path that own code's file name means, `~` for the home of a user where there is one."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # no such user
        return Path(name)


def find_source(key: str, name: str) -> Path | None:
    """The file of own code, or the folder of its package; `None` for what comes with Python.

    Raises:
        UserError: there is no such file or module.
    """
    if is_file_name(name):
        path = path_of_file_name(name)
        if not path.is_file():
            remedy = f"A path is read from the working folder, here {Path.cwd()}."
            raise UserError(key, name, "there is no such file.", remedy)
        return path.resolve()
    _let_python_see_the_working_folder()
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return None
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise UserError(key, name, "there is no such module.", REMEDY)
    folders = list(found.submodule_search_locations or ())
    place = folders[0] if folders else found.origin
    return Path(place).resolve() if place and Path(place).exists() else None


def _let_python_see_the_working_folder() -> None:
    """`python -m` sees modules of the working folder, a command of an environment does not; after all others here."""
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.append(str(Path.cwd()))


def source_files(path: Path) -> list[Path]:
    """The Python files of a package's folder, or a file and the files beside it that it imports, in order of names.

    Beside an installed module lie other people's packages: it counts alone.
    """
    if path.is_dir():
        return _files_of_package(path)
    return [path] if path.parent.name in INSTALLED else sorted(_with_imported_neighbours(path))


def _files_of_package(folder: Path) -> list[Path]:
    """Return the Python files below a folder, without those of hidden folders."""
    found = (path for path in folder.rglob("*.py") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _with_imported_neighbours(start: Path) -> set[Path]:
    """A file and what it imports from beside it, each name looked up once; in a checkout this program is none of it."""
    found, waiting, known = set[Path](), [start], {PROGRAM}
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            names = set(_imported_names(path)) - known
            known |= names
            waiting += [one for name in sorted(names) for one in _neighbours(start.parent, name)]
    return found


def _neighbours(folder: Path, name: str) -> list[Path]:
    """What `import NAME` finds in a folder: a file, or all files of a package."""
    if (folder / name / "__init__.py").is_file():
        return _files_of_package(folder / name)
    return [folder / f"{name}.py"] if (folder / f"{name}.py").is_file() else []


def _imported_names(path: Path) -> Iterator[str]:
    """The first part of every name that a file imports anywhere; nothing of a file that is not Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.partition(".")[0] for name in names)


def code_fingerprint(key: str, name: str) -> str:
    """The sha256 over names and bytes of the files of own code; `built-in` for what comes with Python.

    `name`: a file, a module or either with `:function` after it, as a config names it.
    """
    path = find_source(key, module_of_reference(name))
    return "built-in" if path is None else fingerprint_of_contents(source_contents(path))


def source_contents(path: Path) -> dict[str, bytes]:
    """The files of own code by their name below its folder, as they are now."""
    root = path if path.is_dir() else path.parent
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in source_files(path)}


def fingerprint_of_contents(contents: Mapping[str, bytes]) -> str:
    """The sha256 over the names and bytes of files."""
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def module_of_reference(reference: str) -> str:
    """The source that a reference names: `my_rewards.py` of `my_rewards.py:brevity`; C: of Windows is not a module."""
    head, colon, tail = reference.rpartition(":")
    return head if colon and not is_file_name(tail) else reference
