"""Single functions and classes of another repository's file at a pinned commit, without the packages around them."""

from __future__ import annotations
import __future__

import ast
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

from benchmarks.harness.benchmark import Skipped

Definition = ast.FunctionDef | ast.ClassDef
_ANNOTATIONS_ARE_TEXT = __future__.annotations.compiler_flag


class Released(NamedTuple):
    """Where a piece of code stands: the commit names its bytes, so that what runs is what was read."""

    repository: str  # OWNER/NAME
    commit: str
    path: str
    names: tuple[str, ...]  # functions and classes of the file's outermost level, or CLASS.METHOD
    beside: tuple[Released, ...] = ()  # of other files, whose definitions these see
    seen_as: str = ""  # by those that this stands beside, all together; empty: by the file's name
    needs: Mapping[str, Any] = MappingProxyType({})  # other names that these refer to

    def load(self, checkouts: Path, needs: Mapping[str, Any]) -> SimpleNamespace:
        """Return these definitions and those beside, by their last names; both `needs` are all else that they see.

        Decorators are left out, annotations are not evaluated, and no module of the repository is imported.

        Raises:
            Skipped: the folder holds no such file at this commit.
            KeyError: the file does not define one of the names.
        """
        tree = _tree(self, checkouts)
        found = [_definition(tree, name) for name in self.names]
        others = _loaded(self.beside, checkouts, needs)
        space = _executed([_bare(each) for each in found], self.path, {**self.needs, **needs, **others})
        return SimpleNamespace(**{**others, **{each.name: space[each.name] for each in found}})

    @property
    def described(self) -> str:
        """Which definitions of which files are run."""
        return _described(self, ", ".join(self.names))


class ReleasedStatements(NamedTuple):
    """Statements in the middle of a long function: from the first that sets a name to the last beside it that does."""

    repository: str
    commit: str
    path: str
    function: str  # or CLASS.METHOD
    first: str  # the name that the first statement sets; its block, be it that of a loop, is the one that is run
    last: str  # the name that the last statement sets, itself or in a branch
    beside: tuple[Released, ...] = ()

    def load(self, checkouts: Path, needs: Mapping[str, Any]) -> SimpleNamespace:
        """Return `run`, which takes the names that the statements read and returns all that they set, and those beside.

        Raises:
            Skipped: the folder holds no such file at this commit.
            KeyError: the file has no such function, or this no such statements.
        """
        return _to_run(self, self._statements(_definition(_tree(self, checkouts), self.function)), checkouts, needs)

    def _statements(self, definition: Definition) -> list[ast.stmt]:
        """The statements of the outermost block that has the first and, at or behind it, the last."""
        for block in _blocks(definition):
            starts = [at for at, each in enumerate(block) if isinstance(each, ast.Assign) and self.first in _set(each)]
            ends = [at for at, each in enumerate(block) if self.last in _set(each)]
            if starts and ends and ends[-1] >= starts[0]:
                return block[starts[0] : ends[-1] + 1]
        raise KeyError(f"{self.first} … {self.last}")

    @property
    def described(self) -> str:
        """Which statements of which file are run."""
        return _described(self, f"{self.function} from {self.first} to {self.last}")


class ReleasedAssignments(NamedTuple):
    """The assignments to some names inside a long function, in their order, outside of its loops and conditions."""

    repository: str
    commit: str
    path: str
    function: str  # or CLASS.METHOD
    names: tuple[str, ...]
    beside: tuple[Released, ...] = ()

    def load(self, checkouts: Path, needs: Mapping[str, Any]) -> SimpleNamespace:
        """Return `run`, which takes the names that the assignments read and returns what they set, and those beside.

        Raises:
            Skipped: the folder holds no such file at this commit.
            KeyError: the file has no such function.
        """
        function = _definition(_tree(self, checkouts), self.function)
        every = (each for each in ast.walk(function) if isinstance(each, ast.Assign))
        chosen = [each for each in every if isinstance(each.targets[0], ast.Name) and each.targets[0].id in self.names]
        return _to_run(self, sorted(chosen, key=lambda each: each.lineno), checkouts, needs)

    @property
    def described(self) -> str:
        """Which assignments of which file are run."""
        return _described(self, f"{self.function}: {', '.join(self.names)}")


Piece = Released | ReleasedStatements | ReleasedAssignments


def _to_run(
    piece: ReleasedStatements | ReleasedAssignments,
    statements: Sequence[ast.stmt],
    checkouts: Path,
    needs: Mapping[str, Any],
) -> SimpleNamespace:
    """`run`, which executes the statements with the names that it is given, and the definitions beside them."""
    others = _loaded(piece.beside, checkouts, needs)

    def run(**names: Any) -> SimpleNamespace:
        return SimpleNamespace(**_executed(statements, piece.path, {**needs, **others, **names}))

    return SimpleNamespace(**others, run=run)


def _described(piece: Piece, what: str) -> str:
    return "; ".join([f"{piece.path} ({what})", *(other.described for other in piece.beside)])


def _loaded(every: Iterable[Released], checkouts: Path, needs: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions of several files, by their last names, and each file's together under `seen_as`."""
    found: dict[str, Any] = {}
    for each in every:
        definitions = each.load(checkouts, needs)
        found |= {**vars(definitions), each.seen_as or Path(each.path).stem: definitions}
    return found


def _executed(statements: Sequence[ast.stmt], path: str, space: dict[str, Any]) -> dict[str, Any]:
    """The name space after these statements."""
    module = ast.Module(body=list(statements), type_ignores=[])
    exec(compile(module, path, "exec", flags=_ANNOTATIONS_ARE_TEXT, dont_inherit=True), space)
    return space


def _tree(piece: Piece, checkouts: Path) -> Sequence[ast.stmt]:
    """The file at the commit."""
    clone = checkouts / piece.repository
    command = ["git", "-C", str(clone), "show", f"{piece.commit}:{piece.path}"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        how = f"git clone https://github.com/{piece.repository} {clone}"
        raise Skipped(f"{piece.path} of {piece.repository} at {piece.commit[:10]} is not there: {how}")
    return ast.parse(found.stdout).body


def _definition(body: Iterable[ast.stmt], name: str) -> Definition:
    """A function or class by its dotted name."""
    outer, _, inner = name.partition(".")
    for each in body:
        if isinstance(each, Definition) and each.name == outer:
            return _definition(each.body, inner) if inner else each
    raise KeyError(name)


def _bare(definition: Definition) -> Definition:
    for each in ast.walk(definition):
        if isinstance(each, Definition) and not _is_method_kind(each):
            each.decorator_list = []
    return definition


def _is_method_kind(definition: Definition) -> bool:
    kinds = ("staticmethod", "classmethod", "property")
    return any(isinstance(each, ast.Name) and each.id in kinds for each in definition.decorator_list)


def _blocks(definition: Definition) -> Iterable[list[ast.stmt]]:
    """Every list of statements inside a definition, outer ones first."""
    for each in ast.walk(definition):
        yield from (block for name in ("body", "orelse") if isinstance(block := getattr(each, name, None), list))


def _set(statement: ast.stmt) -> set[str]:
    """The names that a statement, or one inside it, sets."""
    return {each.id for each in ast.walk(statement) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
