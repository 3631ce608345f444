"""The notebook of examples/ runs from its first cell to its last, and is committed without outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parent.parent / "examples" / "notebook" / "first_hour.ipynb"


def test_no_outputs_are_committed() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert max(len("".join(cell["source"]).splitlines()) for cell in cells) <= 10, "a cell fits a screen"


@pytest.mark.slow
def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    read = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(read, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {cell["id"]: json.dumps(cell.get("outputs", [])) for cell in read.cells}
    assert "finished, " in shown["train"] and "4/4" in shown["train"], "progress is printed in the notebook"
    assert "image/png" in shown["plot"] and "text/html" in shown["metrics"]
    assert [word in shown["grade"] for word in ("equal", "different", "no answer")] == [True] * 3
    assert "seeds: not separated" in shown["sweep"]
    assert "tab:tvo-comparison" in shown["write"] and (tmp_path / "report" / "report.html").is_file()
    assert sorted(path.name for path in (tmp_path / "outputs" / "train").iterdir())[0].startswith("grpo-s1-")
