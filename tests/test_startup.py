"""`tvo --help` is instant: what a person types first must not wait for torch."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.processor_time import plain_loop, seconds

HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "wandb",
    "hydra",
    "omegaconf",
    "numpy",
    "matplotlib",
    "accelerate",
    "rich",
    "tvo_cli.config.schema",  # typer itself may bring pydantic
)
PROGRAM = f"""
import json, resource, sys
from tvo_cli.cli.main import main
code = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
loaded = [name for name in {HEAVY!r} if name in sys.modules]
print(json.dumps([code, loaded, used.ru_utime + used.ru_stime]), file=sys.stderr)
"""


def start(*words: str) -> tuple[int, list[str], float, str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True)
    code, loaded, seconds = json.loads(done.stderr.splitlines()[-1])
    return code, loaded, seconds, done.stdout


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code, loaded, _, shown = start(*words)
    assert code == 0 and loaded == [] and shown


def test_help_is_instant() -> None:
    """A third of a second of a usual CPU: ten times what a bare interpreter takes to start."""
    assert min(start("--help")[2] for _ in range(3)) <= 100 * seconds(plain_loop, tries=5)


def test_help_names_every_command() -> None:
    shown = start("--help")[3]
    assert all(f"\n  {command} " in shown for command in ("train", "sft", "eval", "list"))


def test_list_needs_neither_torch_nor_hydra() -> None:
    code, loaded, _, shown = start("list", "algorithms")
    assert code == 0 and loaded == [] and "grpo" in shown
