"""Single functions and classes of another repository's file at a pinned commit, without the packages around them."""

from __future__ import annotations
import __future__

import ast
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import torch

from benchmarks.harness.benchmark import Skipped

_ANNOTATIONS_ARE_TEXT = __future__.annotations.compiler_flag


class Released(NamedTuple):
    """Where a piece of code stands: the commit names its bytes, so that what runs is what was read."""

    repository: str  # OWNER/NAME
    commit: str
    path: str
    names: tuple[str, ...]  # functions and classes of the file's outermost level, or CLASS.METHOD
    needs: Mapping[str, Any] = MappingProxyType({})  # names that they refer to; what is Released itself is loaded too

    @property
    def described(self) -> str:
        """The files and definitions that are run, those of `needs` too."""
        beside = dict.fromkeys(each.described for each in self.needs.values() if isinstance(each, Released))
        return "; ".join([f"{self.path} ({', '.join(self.names)})", *beside])

    def load(self, checkouts: Path, needs: Mapping[str, Any]) -> SimpleNamespace:
        """Return these definitions alone, by their last names; both `needs` are all that their bodies can see.

        Decorators are left out, annotations are not evaluated, and no module of the repository is imported. A need that
        is Released is returned by its name too: a definition of this name, else all its definitions as a namespace.

        Raises:
            Skipped: the folder holds no such file at this commit.
            KeyError: the file does not define one of the names.
        """
        tree = ast.parse(self.text(checkouts))
        found = [_definition(tree.body, name.split(".")) for name in self.names]
        module = ast.Module(body=[_bare(each) for each in found], type_ignores=[])
        beside = {name: _loaded(name, each, checkouts) for name, each in self.needs.items()}
        space: dict[str, Any] = {**beside, **needs}
        exec(compile(module, self.path, "exec", flags=_ANNOTATIONS_ARE_TEXT, dont_inherit=True), space)
        released = {name: beside[name] for name, each in self.needs.items() if isinstance(each, Released)}
        return SimpleNamespace(**released, **{each.name: space[each.name] for each in found})

    def text(self, checkouts: Path) -> str:
        """Return the file's text at the commit."""
        command = ["git", "-C", str(checkouts / self.repository), "show", f"{self.commit}:{self.path}"]
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode:
            clone = f"git clone https://github.com/{self.repository} {checkouts / self.repository}"
            raise Skipped(f"{self.path} of {self.repository} at {self.commit[:10]} is not there: {clone}")
        return found.stdout


def torch_with(**changed: Any) -> SimpleNamespace:
    """Torch with other things under some names: what a machine without a GPU lacks, or a wider dtype."""
    return SimpleNamespace(**{**vars(torch), **changed})


def _loaded(name: str, need: Any, checkouts: Path) -> Any:
    if not isinstance(need, Released):
        return need
    found = need.load(checkouts, {"torch": torch})
    return getattr(found, name, found)


Definition = ast.FunctionDef | ast.ClassDef


def _definition(body: Iterable[ast.stmt], names: list[str]) -> Definition:
    for each in body:
        if isinstance(each, Definition) and each.name == names[0]:
            return each if len(names) == 1 else _definition(each.body, names[1:])
    raise KeyError(".".join(names))


def _bare(definition: Definition) -> Definition:
    for each in ast.walk(definition):
        if isinstance(each, Definition) and not _is_method_kind(each):
            each.decorator_list = []
    return definition


def _is_method_kind(definition: Definition) -> bool:
    kinds = ("staticmethod", "classmethod", "property")
    return any(isinstance(each, ast.Name) and each.id in kinds for each in definition.decorator_list)
