"""The names that `import tvo_cli as tvo` offers stay, and importing them loads nothing."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tvo_cli as tvo

PACKAGE = Path(tvo.__file__).parent
SIGNATURES = {
    "Comparison": "title verdicts warnings tables to_dataframe write write_paper",
    "Comparison.to_dataframe": "(self, table: 'str' = 'arms') -> 'pd.DataFrame'",
    "Comparison.write": "(self, folder: 'str | Path') -> 'Path'",
    "Comparison.write_paper": "(self, folder: 'str | Path', columns: 'str | Sequence[str]' = "
    "('rate', 'seeds', 'final', 'difference', 'collapsed')) -> 'Path'",
    "ComparisonVerdict": "a b beside block difference high low p p_holm rate seeds_needed sentence separated",
    "Evaluation": "summary scores responses folder",
    "Run": "config state reason summary collapse verdict metrics evaluations card figures checkpoints policy folder",
    "Run.policy": "(self, checkpoint: 'str' = 'last', *, device: 'str' = 'auto') -> 'Policy'",
    "RunInterrupted": "",
    "StabilityMonitor": "log findings collapsed diagnosis close",
    "StabilityMonitor.close": "(self) -> 'None'",
    "StabilityMonitor.diagnosis": "(self) -> 'Diagnosis'",
    "StabilityMonitor.log": "(self, step: 'int', metrics: 'Mapping[str, Any]') -> 'list[Finding]'",
    "UserError": "parts",
    "compare": "(runs: 'Sequence[str | Path | Run] | str | Path | Run', *, baseline: 'str | None' = None, "
    "by: 'str | Sequence[str]' = 'algorithm', metric: 'str | None' = None, direction: 'str' = 'auto', "
    "choose_rate: 'str' = 'corrected', failed: 'str' = 'auto', confidence: 'float' = 0.95, "
    "mapping: 'str | Path | None' = None, force: 'bool' = False, x: 'str' = 'samples') -> 'Comparison'",
    "evaluate": "(overrides: 'Sequence[str]' = (), *, model: 'str | Path | Run | None' = None, "
    "config_dir: 'str | Path | None' = None, progress: 'bool' = True) -> 'Evaluation'",
    "grade": "(rows: 'Iterable[Mapping[str, Any]] | pd.DataFrame | str | Path', *, gold: 'str' = 'gold', "
    "prediction: 'str' = 'prediction', profile: 'str' = 'math', scorer: 'str | None' = None, "
    "unboxed: 'str' = 'wrong', audit: 'bool' = False, "
    "workers: 'int' = 0, deadline: 'float' = 5.0) -> 'list[dict[str, Any]]'",
    "load": "(path: 'str | Path | Run') -> 'Run'",
    "train": "(overrides: 'Sequence[str]' = (), *, config_dir: 'str | Path | None' = None) -> 'Run'",
}


def signatures_of(name: str) -> dict[str, str]:
    """A function's signature; the public names of a class, and the signatures of its methods."""
    found = getattr(tvo, name)
    if not inspect.isclass(found):
        return {name: str(inspect.signature(found))} if callable(found) else {}
    public = {key: value for key, value in vars(found).items() if not key.startswith("_")}
    methods = {f"{name}.{key}": str(inspect.signature(value)) for key, value in public.items() if callable(value)}
    return {name: " ".join(public), **methods}


def test_the_public_names_and_their_signatures_stay() -> None:
    assert {key: said for name in tvo.__all__ for key, said in signatures_of(name).items()} == SIGNATURES


def test_every_public_name_is_there_and_listed() -> None:
    assert set(tvo.__all__) <= set(dir(tvo)) and all(hasattr(tvo, name) for name in tvo.__all__)
    with pytest.raises(AttributeError, match=r"^module 'tvo_cli' has no attribute 'trian'$"):
        tvo.trian  # noqa: B018


def test_no_public_name_is_a_module_that_would_take_its_place_once_it_is_imported() -> None:
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & {name for name in tvo.__all__ if not name.startswith("_")}


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    """What stands under TYPE_CHECKING is for mypy and editors."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imported = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imported == ["from __future__ import annotations", "from typing import TYPE_CHECKING"]
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.slow
def test_importing_it_loads_no_library() -> None:
    heavy = ("torch", "pandas", "numpy", "hydra", "transformers", "typer")
    program = f"import sys, tvo_cli as tvo; dir(tvo); print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"
