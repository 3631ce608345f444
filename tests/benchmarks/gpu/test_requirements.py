"""What is said where something is missing."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Set
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.gpu import requirements

ROOT = Path(requirements.__file__).parents[2]


def test_what_is_missing_is_said_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert requirements.complaints() == []
    there = importlib.util.find_spec
    gone = {"hydra", "pydantic"}
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name in gone else there(name))
    monkeypatch.setattr(requirements, "version", lambda name: "2.10.1+cu130")
    first, offline, old = requirements.complaints()
    assert first.startswith("not installed: pydantic hydra-core. Run: ")
    assert first.endswith("-m pip install pydantic hydra-core")
    assert "make gpu-wheels" in offline and "sh benchmarks/gpu/run.sh" in offline
    assert old == "torch 2.10: too old. Use 2.11 or newer."


def test_the_check_comes_before_every_import_that_may_fail() -> None:
    """The command's own modules up to the check import the standard library alone."""
    for module in (requirements, sys.modules["benchmarks.gpu"]):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        names = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert {str(name).split(".")[0] for name in names} <= set(sys.stdlib_module_names)
    main = ast.parse((Path(str(requirements.__file__)).parent / "__main__.py").read_text(encoding="utf-8"))
    names = {str(node.module) for node in main.body if isinstance(node, ast.ImportFrom)}
    assert {name for name in names if name not in sys.stdlib_module_names} == {"benchmarks.gpu"}


def required(package: str) -> set[str]:
    """What an installed package needs; none of one that is not installed."""
    try:
        lines = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return set()
    found = map(Requirement, lines)
    return {canonicalize_name(one.name) for one in found if one.marker is None or one.marker.evaluate({"extra": ""})}


def closure(packages: Set[str]) -> set[str]:
    found: set[str] = set()
    while packages:
        found |= packages
        packages = set().union(*map(required, packages)) - found
    return found


def test_the_wheels_and_what_a_machine_with_torch_has_are_all_that_is_needed() -> None:
    lock = (ROOT / "requirements" / "lock.txt").read_text(encoding="utf-8")
    if f"\ndatasets=={importlib.metadata.version('datasets')}\n" not in lock:
        pytest.skip("the wheels are those of the lock, and other releases have other needs")
    lines = (ROOT / "requirements" / "gpu.txt").read_text(encoding="utf-8").splitlines()
    wheels = {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")}
    [said] = re.findall(r"that has (.*?)\. Versions", " ".join(line.lstrip("# ") for line in lines))
    machine = closure({"numpy", *re.findall(r"[a-z]+", said.replace(" and ", " "))})
    assert {"torch", "transformers", "pyarrow"} <= machine
    assert {canonicalize_name(package) for package in requirements.NEEDED.values()} <= wheels | machine
    assert closure(wheels) <= wheels | machine, "a wheel's own needs"
    assert not wheels & {"torch", "transformers", "triton"}, "these are the machine's"


@pytest.mark.parametrize("wheels", [0, 2])
def test_the_script_puts_carried_wheels_before_the_machine_s_packages(wheels: int, tmp_path: Path) -> None:
    script = tmp_path / "benchmarks" / "gpu" / "run.sh"
    script.parent.mkdir(parents=True)
    script.write_bytes((ROOT / "benchmarks" / "gpu" / "run.sh").read_bytes())
    (tmp_path / "outputs" / "gpu-wheels").mkdir(parents=True)
    for number in range(wheels):
        (tmp_path / "outputs" / "gpu-wheels" / f"{number}.whl").touch()
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH: $@"\n', encoding="utf-8")
    python.chmod(0o755)
    environment = {"PYTHON": str(python), "PYTHONPATH": "before", "PATH": os.defpath}
    done = subprocess.run(["sh", str(script), "--quick"], capture_output=True, text=True, env=environment, check=True)
    *installed, run = done.stdout.splitlines()
    site = tmp_path / "outputs" / "gpu-site"
    assert run == (f"{site}:before: " if wheels else "before: ") + "-m benchmarks.gpu --quick"
    assert len(installed) == (wheels > 0)
    for line in installed:
        assert "--no-index --no-deps" in line
        assert line.endswith(f"--target {site} outputs/gpu-wheels/0.whl outputs/gpu-wheels/1.whl")
