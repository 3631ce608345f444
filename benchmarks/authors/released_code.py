"""Single functions and classes of another repository's file at a pinned commit, without the packages around them."""

from __future__ import annotations
import __future__

import ast
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from benchmarks.harness.benchmark import Skipped

_ANNOTATIONS_ARE_TEXT = __future__.annotations.compiler_flag


class Released(NamedTuple):
    """Where a piece of code stands: the commit names its bytes, so that what runs is what was read."""

    repository: str  # OWNER/NAME
    commit: str
    path: str
    names: tuple[str, ...]  # functions and classes of the file's outermost level, or CLASS.METHOD
    beside: tuple[Released, ...] = ()  # other files, whose definitions these see and which are loaded with them
    assigned: tuple[str, ...] = ()  # of the one function that is named, only the statements that assign to these

    def load(self, checkouts: Path, needs: Mapping[str, Any]) -> SimpleNamespace:
        """Return these definitions alone, by their last names; `needs` is all that their bodies can see.

        Decorators are left out, annotations are not evaluated, and no module of the repository is imported. With
        `assigned` the function takes by name what its statements read, and returns what they assign.

        Raises:
            Skipped: the folder holds no such file at this commit.
            KeyError: the file does not define one of the names.
        """
        others: dict[str, Any] = {}
        for other in self.beside:
            others |= vars(other.load(checkouts, {**needs, **others}))
        tree = ast.parse(self.text(checkouts))
        found = [_definition(tree.body, name.split(".")) for name in self.names]
        if self.assigned:
            steps = _assignments(found[0], self.path, self.assigned, {**needs, **others})
            return SimpleNamespace(**others, **{found[0].name: steps})
        module = ast.Module(body=[_bare(each) for each in found], type_ignores=[])
        space: dict[str, Any] = {**needs, **others}
        exec(compile(module, self.path, "exec", flags=_ANNOTATIONS_ARE_TEXT, dont_inherit=True), space)
        return SimpleNamespace(**others, **{each.name: space[each.name] for each in found})

    def described(self) -> str:
        """Which definitions of which files are run."""
        names = ", ".join(self.names) + (f": {', '.join(self.assigned)}" if self.assigned else "")
        return "; ".join([f"{self.path} ({names})", *(other.described() for other in self.beside)])

    def text(self, checkouts: Path) -> str:
        """Return the file's text at the commit."""
        command = ["git", "-C", str(checkouts / self.repository), "show", f"{self.commit}:{self.path}"]
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode:
            clone = f"git clone https://github.com/{self.repository} {checkouts / self.repository}"
            raise Skipped(f"{self.path} of {self.repository} at {self.commit[:10]} is not there: {clone}")
        return found.stdout


Definition = ast.FunctionDef | ast.ClassDef


def _definition(body: Iterable[ast.stmt], names: list[str]) -> Definition:
    for each in body:
        if isinstance(each, Definition) and each.name == names[0]:
            return each if len(names) == 1 else _definition(each.body, names[1:])
    raise KeyError(".".join(names))


def _assignments(
    function: Definition, path: str, names: Iterable[str], needs: Mapping[str, Any]
) -> Callable[..., SimpleNamespace]:
    """The assignments to these names inside a function, in their order, outside of its loops and conditions."""
    every = (each for each in ast.walk(function) if isinstance(each, ast.Assign))
    chosen = [each for each in every if isinstance(each.targets[0], ast.Name) and each.targets[0].id in names]
    body: list[ast.stmt] = sorted(chosen, key=lambda each: each.lineno)
    code = compile(ast.Module(body=body, type_ignores=[]), path, "exec", dont_inherit=True)

    def run(**given: Any) -> SimpleNamespace:
        """Make the assignments with these names given."""
        space = {**needs, **given}
        exec(code, space)
        return SimpleNamespace(**{name: space[name] for name in names})

    return run


def _bare(definition: Definition) -> Definition:
    for each in ast.walk(definition):
        if isinstance(each, Definition) and not _is_method_kind(each):
            each.decorator_list = []
    return definition


def _is_method_kind(definition: Definition) -> bool:
    kinds = ("staticmethod", "classmethod", "property")
    return any(isinstance(each, ast.Name) and each.id in kinds for each in definition.decorator_list)
