"""Overrides: what is written for Hydra is what Hydra reads, and a shell before it."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tvo_cli.config import overrides, rerun_command

TEXTS = ["a\\b", "a\\", "a\\\\", "a'b", 'a"b', "a\\'b", 'a\\\\"b', "a\\ b", "\\", "a, b", "größe\\", "a=b"]


def read(word: str) -> object:
    [parsed] = OverridesParser.create().parse_overrides([word])
    return parsed.value()


@pytest.mark.parametrize("text", TEXTS)
def test_hydra_reads_a_text_back_from_its_quotes(text: str) -> None:
    for mark in ("'", '"'):
        assert read(f"x={overrides.in_hydra_quotes(text, mark)}") == text
        assert read(f"x=[{overrides.in_hydra_quotes(text, mark)},b]") == [text, "b"]
    assert read(overrides.hydra_override("model.path", text)) == text
    [word] = shlex.split(overrides.shell_override("model.path", text))
    assert read(word) == text


@pytest.mark.parametrize("text", TEXTS)
def test_the_command_of_a_job_names_its_folder(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = SimpleNamespace(
        mode="RunMode.MULTIRUN",
        overrides=SimpleNamespace(task=["seed=1", "output_dir=else"]),
        runtime=SimpleNamespace(output_dir=text),
    )
    monkeypatch.setattr("hydra.core.hydra_config.HydraConfig.get", lambda: job)
    monkeypatch.setattr("hydra.core.hydra_config.HydraConfig.initialized", lambda: True)
    *_, first, second = shlex.split(rerun_command())
    assert first == "seed=1" and read(second) == text
