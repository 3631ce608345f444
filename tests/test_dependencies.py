"""What is imported is declared, and the lock holds one version of it for every Python and nothing of one machine."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.source_trees import nodes_of

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "lock.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKED = (
    "dev",
    "tensorboard",
    "reasoning-gym",
    "smollm2",
    "lora",
    "joblib",
    "submitit",
    "optuna",
    "bitsandbytes",
    "docs",
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
BROUGHT_ALONG = {
    "vllm",
    "trl",
    "pydantic_core",
}  # rollout=vllm: its user installs the build that suits the GPU; TRL's callback: who has TRL; pydantic pins its core
LINE = re.compile(r"[a-z0-9][a-z0-9-]*==[0-9][0-9a-z.]*( ; [a-z_0-9=<>!'.* ()-]+)?", re.IGNORECASE)


def requirements(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def declared(*extras: str) -> dict[str, Requirement]:
    """Distribution → what pyproject.toml asks of it."""
    asked = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    return {canonicalize_name(one.name): one for one in map(Requirement, asked)}


def imported(*folders: str) -> Iterator[tuple[str, Path]]:
    """Every module of others that a file imports, anywhere in it."""
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        yield from ((name, path) for name in imported_by(path))


@cache
def imported_by(path: Path) -> list[str]:
    names = list[str]()
    for node in nodes_of(path):
        names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return [name.split(".")[0] for name in names]


def of_others(*folders: str) -> dict[str, Path]:
    ours = {
        "tvo_cli",
        "hydra_plugins",
        "tests",
        "benchmarks",
        *sys.stdlib_module_names,
        "_typeshed",
    }  # the last is the type checkers' own
    return {name: path for name, path in imported(*folders) if name not in ours}


def distributions(module: str) -> set[str]:
    return {canonicalize_name(name) for name in _installed().get(module, [module])}


_installed = lru_cache(maxsize=1)(packages_distributions)


def test_every_module_that_the_package_imports_is_declared() -> None:
    known = set(declared(*EXTRAS)) - set(declared("dev")) | set(declared())
    missing = {name: path for name, path in of_others("tvo_cli", "hydra_plugins").items() if name not in BROUGHT_ALONG}
    assert {name: path for name, path in missing.items() if not distributions(name) & known} == {}


@pytest.mark.slow
def test_every_module_that_the_tests_import_is_declared() -> None:
    known = set(declared(*LOCKED))
    missing = {name: path for name, path in of_others("tests").items() if name not in BROUGHT_ALONG}
    assert {name: path for name, path in missing.items() if not distributions(name) & known} == {}


def test_nothing_is_declared_that_is_not_imported() -> None:
    used = {one for name in of_others("tvo_cli", "hydra_plugins") for one in distributions(name)}
    assert set(declared()) - used == set()


def test_every_dependency_has_a_lower_bound() -> None:
    for one in declared(*EXTRAS).values():
        assert any(bound.operator in (">=", "==", "~=") for bound in one.specifier), str(one)


def test_the_lock_names_versions_and_nothing_of_one_machine() -> None:
    """No index, no local version such as +cpu, no path, no hash of one build."""
    for line in requirements(LOCK):
        assert LINE.fullmatch(line), line


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_the_lock_holds_one_allowed_version_of_all_that_is_declared(python: str, system: str) -> None:
    machine = {"linux": "x86_64", "darwin": "arm64"}[system]
    here: dict[str, Any] = {
        **default_environment(),
        "python_version": python, "python_full_version": f"{python}.1", "sys_platform": system,
        "platform_machine": machine, "platform_system": system.capitalize(), "implementation_name": "cpython",
    }  # fmt: skip
    pins: dict[str, list[str]] = {}
    for one in map(Requirement, requirements(LOCK)):
        if one.marker is None or one.marker.evaluate(here):
            pins.setdefault(canonicalize_name(one.name), []).append(str(one.specifier).removeprefix("=="))
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}
    for name, asked in declared(*LOCKED).items():
        assert asked.specifier.contains(pins[name][0]), f"{asked}: run make lock"


def test_what_the_lock_holds_back_is_held_and_has_a_reason() -> None:
    held = ROOT / "requirements" / "held.txt"
    assert set(requirements(held)) <= set(requirements(LOCK))
    assert "#" in held.read_text(encoding="utf-8").splitlines()[1]


def test_pip_and_what_builds_the_package_are_locked_too() -> None:
    names = {Requirement(line).name for line in requirements(LOCK)}
    assert set(requirements(ROOT / "requirements" / "installers.txt")) <= names


def test_make_installs_from_the_lock_alone_and_ci_is_make_test() -> None:
    recipes = (ROOT / "Makefile").read_text(encoding="utf-8")
    [recipe] = re.findall(r"^\$\(DEV_STAMP\):.*\n((?:\t.*\n)+)", recipes, re.MULTILINE)
    assert "--constraint $(LOCK)" in recipe and "requirements/lock.txt" in recipes
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("\nmake test")
