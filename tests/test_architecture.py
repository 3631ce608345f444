"""The house's rules, enforced: who may import whom, how long a file may be, what a method is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests import module_table
from tests.source_trees import nodes_of, tree_of

ROOT = Path(__file__).parent.parent / "tvo_cli"
PAGE = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")


def allowed() -> dict[str, set[str]]:
    """Room → rooms it may import, itself included: the table of docs/architecture.md."""
    table = PAGE.partition("## Who may import whom")[2]
    ground = set(re.findall(r"\w+", re.search(r"\*ground\* is ([^;]+);", table)[1]))  # type: ignore[index]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, flags=re.MULTILINE)
    return {
        room: {room, *re.findall(r"`(\w+)`", given), *(ground if "*ground*" in given else ())} for room, given in rows
    }


MAY_IMPORT = allowed()
FILES = sorted(ROOT.rglob("*.py"))
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def imported(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tvo_cli":
            parts = node.module.split(".")[1:]
            yield from parts[:1] or [alias.name for alias in node.names]


def test_imports_flow_one_way() -> None:
    for path in (path for path in FILES if path.relative_to(ROOT).parts[0] != "experiment"):
        unit = path.relative_to(ROOT).parts[0].removesuffix(".py")
        assert set(imported(path)) - {"__version__"} <= MAY_IMPORT[unit], path


def test_the_page_names_every_room_and_only_rooms_that_are_there() -> None:
    rooms = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in FILES} - {"experiment"}
    assert set(MAY_IMPORT) == rooms
    section = PAGE.partition("## Room by room")[2].partition("## Where")[0]
    described = dict(re.findall(r"^\| `(\w+)/` \| (.*)$", section, flags=re.MULTILINE))
    assert set(described) == {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    for folder in {path.parent for path in FILES if len(path.relative_to(ROOT).parts) == 3}:
        assert f"{folder.name}/" in described[folder.parent.name], folder


def test_every_room_names_three_files_to_read_first() -> None:
    """Those that are there; of a room with fewer modules all of them."""
    rows = re.findall(r"^\| `(\w+)/` \|.*\| ([^|]+) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) > 25
    for room, told in rows:
        modules = [path for path in (ROOT / room).rglob("*.py") if path.name != "__init__.py"]
        named = [ROOT / room / name.strip() for name in told.split(",")]
        assert all(path.is_file() for path in named) and len(named) >= min(3, len(modules)), room


def test_only_what_runs_a_session_knows_that_there_are_ranks() -> None:
    knowing = {room for room, given in MAY_IMPORT.items() if "parallel" in given} - {"parallel"}
    assert knowing == {"training", "evaluation", "job", "api", "cli"}  # and experiment, which connects all


def test_of_the_readings_only_the_gradients_learns_of_parts() -> None:
    found = {path.name for path in (ROOT / "stability").glob("*.py") if "take_squares" in path.read_text()}
    assert found == {"gradient_noise.py"}


def test_no_rooms_import_each_other_in_a_circle() -> None:
    order = TopologicalSorter({room: given - {room} for room, given in MAY_IMPORT.items()}).static_order()
    assert set(order) >= set(MAY_IMPORT)  # a circle raises CycleError


def parts_of(room: Path) -> dict[str, set[str]]:
    """Part of a room (a folder in it, or a file) → parts that its files import at their head."""
    found: dict[str, set[str]] = {}
    for path in room.rglob("*.py"):
        part = path.relative_to(room).parts[0].removesuffix(".py")
        names = [name for name in imported_at_the_head(path) if name.startswith(f"tvo_cli.{room.name}.")]
        found.setdefault(part, set()).update(name.split(".")[2] for name in names)
    return {part: given - {part} for part, given in found.items() if part != "__init__"}


def imported_at_the_head(path: Path) -> Iterator[str]:
    """Yield the dotted names that are imported with the file: neither in a function nor for type checkers only."""
    for node in tree_of(path).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


ROOMS = sorted(path for path in ROOT.iterdir() if (path / "__init__.py").exists())


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_the_parts_of_a_room_do_not_import_each_other_in_a_circle(room: Path) -> None:
    parts = parts_of(room)
    assert set(TopologicalSorter(parts).static_order()) >= set(parts)  # a circle raises CycleError


def test_no_room_has_more_than_forty_files_side_by_side() -> None:
    counts = {folder: len(list(folder.glob("*.py"))) for folder in {path.parent for path in FILES}}
    assert not {str(folder): count for folder, count in counts.items() if count > 40}


def test_no_file_and_no_function_is_long() -> None:
    for path in FILES:
        most = 200 if path.relative_to(ROOT).parts[0] in ("training", "experiment") else 300
        assert len(path.read_text(encoding="utf-8").splitlines()) < most, path
        for node in nodes_of(path):
            if isinstance(node, FUNCTION):
                assert (node.end_lineno or 0) - node.lineno < 40, (path, node.name)


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "most"), [("tests", 28), ("benchmarks", 30)])
def test_no_function_of_tests_and_benchmarks_is_long(folder: str, most: int) -> None:
    for path in sorted((ROOT.parent / folder).rglob("*.py")):
        for node in nodes_of(path):
            if isinstance(node, FUNCTION):
                assert (node.end_lineno or 0) - node.lineno + 1 < most, (path, node.name)


def test_the_page_of_modules_is_that_of_the_docstrings() -> None:
    page = (ROOT.parent / "docs" / "modules.md").read_text(encoding="utf-8")
    assert page == module_table.page(), "make docs"


def test_the_median_function_is_under_ten_lines() -> None:
    functions = [node for path in FILES for node in nodes_of(path) if isinstance(node, FUNCTION)]
    lengths = sorted((node.end_lineno or 0) - node.lineno + 1 for node in functions)
    assert lengths[len(lengths) // 2] < 10


def test_names_say_something() -> None:
    assert not {"utils", "helpers", "common", "misc", "manager", "base"} & {path.stem for path in FILES}


@pytest.mark.parametrize("path", sorted((ROOT / "methods").glob("[!_]*.py")), ids=lambda path: path.stem)
def test_a_method_is_one_function_named_as_its_file(path: Path) -> None:
    tree = tree_of(path)
    public = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert public == [path.stem]
    assert "arXiv" in (ast.get_docstring(tree) or "")
    assert "Fidelity:" in (ast.get_docstring(next(n for n in tree.body if isinstance(n, ast.FunctionDef))) or "")
    assert (ROOT.parent / "tests" / "methods" / f"test_{path.stem}.py").exists()


def test_nothing_loads_pickles_remote_code_or_evaluates_text() -> None:
    for path in FILES:
        for node in nodes_of(path):
            called = node.func if isinstance(node, ast.Call) else None
            name = called.id if isinstance(called, ast.Name) else ""
            assert name not in {"eval", "exec", "compile", "__import__"}, path
            dotted = ast.unparse(called) if isinstance(called, ast.Attribute) else ""
            assert dotted not in {"torch.load", "torch.save", "pickle.load", "pickle.loads", "np.load", "numpy.load"}, (
                path
            )
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
                assert not named & {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}, path
            for keyword in node.keywords if isinstance(node, ast.Call) else ():
                if keyword.arg == "trust_remote_code":
                    assert isinstance(keyword.value, ast.Constant) and keyword.value.value is False, path
