"""The house's rules, enforced: who may import whom, how long a file may be, what a method is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "tvo_cli"
GROUND = {"masking", "escaping", "types", "errors", "signals", "streams", "descriptors"}
LEARNING = GROUND | {"maths"}
PARTS = LEARNING | {"objective", "methods", "advantage", "data", "reward", "stats", "config"}
MAY_IMPORT = {
    "__init__": set(),
    "__main__": {"cli"},
    "types": set(),
    "errors": set(),
    "masking": set(),
    "signals": set(),
    "descriptors": set(),
    "streams": {"descriptors"},
    "escaping": set(),
    "maths": {"maths"},
    "stats": GROUND | {"stats"},
    "config": GROUND | {"config"},
    "check": GROUND | {"config"},
    "plan": GROUND | {"check", "model", "data"},
    "readers": GROUND | {"readers"},
    "data": GROUND | {"readers", "data"},
    "reward": GROUND | {"readers", "reward"},
    "objective": LEARNING | {"objective"},
    "methods": LEARNING,
    "advantage": LEARNING | {"advantage"},
    "optim": LEARNING | {"optim"},
    "model": LEARNING | {"model", "data"},
    "rollout": LEARNING | {"rollout", "model", "data"},
    "stability": LEARNING | {"stability", "config"},
    "tracking": GROUND | {"tracking", "config"},
    "sweep": GROUND | {"sweep", "tracking", "config"},
    "evaluation": PARTS | {"evaluation", "model", "rollout", "tracking"},
    "checkpoint": {"checkpoint"},
    "training": PARTS | {"training", "checkpoint", "model", "rollout", "optim", "stability", "evaluation", "tracking"},
    "replay": LEARNING | {"replay", "training", "checkpoint"},
    "report": GROUND | {"report", "tracking", "stats", "config"},
    "compare": GROUND | {"compare", "report", "tracking", "stats", "config"},
    "environment": GROUND | {"environment", "config", "tracking", "model", "rollout", "optim", "training"},
    # reward: `tvo grade` needs no config, no experiment and no model; evaluation: nor does `tvo eval --regrade`
    "cli": GROUND
    | {"cli", "config", "plan", "experiment", "environment", "evaluation"}
    | {"report", "compare", "tracking", "stats", "reward", "sweep"},
}
FILES = sorted(ROOT.rglob("*.py"))
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tvo_cli":
            parts = node.module.split(".")[1:]
            yield from parts[:1] or [alias.name for alias in node.names]


def test_imports_flow_one_way():
    for path in (path for path in FILES if path.name != "experiment.py"):
        unit = path.relative_to(ROOT).parts[0].removesuffix(".py")
        assert set(imported(path)) - {"__version__"} <= MAY_IMPORT[unit], path


def test_no_file_is_long_and_no_function_is_very_long():
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
        for node in nodes(path):
            if isinstance(node, FUNCTION):
                assert (node.end_lineno or 0) - node.lineno < 70, (path, node.name)


def test_the_median_function_is_about_ten_lines():
    functions = [node for path in FILES for node in nodes(path) if isinstance(node, FUNCTION)]
    lengths = sorted((node.end_lineno or 0) - node.lineno + 1 for node in functions)
    assert lengths[len(lengths) // 2] <= 12


def test_names_say_something():
    assert not {"utils", "helpers", "common", "misc", "manager", "base"} & {path.stem for path in FILES}


@pytest.mark.parametrize("path", sorted((ROOT / "methods").glob("[!_]*.py")), ids=lambda path: path.stem)
def test_a_method_is_one_function_named_as_its_file(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert public == [path.stem]
    assert "arXiv" in (ast.get_docstring(tree) or "")
    assert "Fidelity:" in ast.get_docstring(next(n for n in tree.body if isinstance(n, ast.FunctionDef)))
    assert (ROOT.parent / "tests" / "methods" / f"test_{path.stem}.py").exists()


def test_nothing_loads_pickles_remote_code_or_evaluates_text():
    for path in FILES:
        for node in nodes(path):
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
