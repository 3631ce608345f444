"""What a user of the package gets: metadata, licence, the files of the wheel; and the image's recipe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_licence_is_apache_in_full() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text and len(text) == 11_358


def test_the_citation_names_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


@pytest.mark.parametrize("group", ["dataset", "model"])
def test_every_named_data_set_and_model_has_a_line_on_licences(group: str) -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    names = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")} - {"fresh"}
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_the_image_gets_all_that_it_copies() -> None:
    kept = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", recipe, re.MULTILINE) for name in line.split()]
    assert sorted(copied) == sorted(kept)
    assert all((ROOT / name).exists() for name in copied)
    assert set(re.findall(r"ARG EXTRAS=(\S+)", recipe)[0].split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_image_recipe_is_linted() -> None:
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    if (hadolint := shutil.which("hadolint", path=beside)) is None:
        pytest.skip("pip install -e '.[dev]'")
    done = subprocess.run([hadolint, str(ROOT / "Dockerfile")], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_wheel_and_source_hold_what_they_should(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(words, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,), (source,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "tvo_cli",
        "hydra_plugins",
        wheel.name.rsplit("-", 3)[0] + ".dist-info",
    }
    conf = {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*") if path.is_file()}
    assert {f"tvo_cli/{name}" for name in conf} | {"tvo_cli/py.typed"} <= set(names)
    assert [name for name in names if name.endswith((".pyc", ".pt", ".pkl")) or "/tests/" in name] == []
    with tarfile.open(source) as archive:
        held = archive.getnames()
    assert {"LICENSE", "README.md", "CITATION.cff", "CHANGELOG.md"} <= {name.partition("/")[2] for name in held}
    metadata = Parser().parsestr(zipfile.ZipFile(wheel).read(next(n for n in names if n.endswith("METADATA"))).decode())
    assert metadata["License-Expression"] == "Apache-2.0" and metadata["Author"] and metadata["Keywords"]
