"""The report of the committed runs, made and written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.comparison.conftest import RUNS, made
from tvo_cli.comparison.render import report_files
from tvo_cli.comparison.render.document import ReportDocument


@pytest.fixture(scope="session")
def document() -> ReportDocument:
    return made(RUNS)


@pytest.fixture(scope="session")
def written(document: ReportDocument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the whole report: its figures are drawn once. To be read, not written in."""
    folder = tmp_path_factory.mktemp("report")
    report_files.write_report_folder(document, folder)
    return folder
