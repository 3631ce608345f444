"""The report of the committed runs, made and written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compare.conftest import RUNS, made
from tvo_cli.compare.render import writing
from tvo_cli.compare.render.document import Document


@pytest.fixture(scope="session")
def document() -> Document:
    return made(RUNS)


@pytest.fixture(scope="session")
def written(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the whole report: its figures are drawn once. To be read, not written in."""
    folder = tmp_path_factory.mktemp("report")
    writing.write(document, folder)
    return folder
