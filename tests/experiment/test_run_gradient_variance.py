"""Estimators of `tvo variance`: an algorithm's name, and overrides of its own behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment import run_gradient_variance


def sizes_of_sessions(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> list[tuple[int, int]]:
    """Prompts and responses of the session that each estimator would be measured in."""
    seen: list[tuple[int, int]] = []

    class Measured(Exception):
        """The session was asked for."""

    def note(chosen: Any, *given: Any) -> None:
        seen.append((int(chosen.rollout.prompts), int(chosen.rollout.samples)))
        raise Measured

    monkeypatch.setattr(run_gradient_variance, "build_session", note)
    made = config.compose([f"output_dir={folder}"], "variance")
    for name in names:
        with pytest.raises(Measured):
            run_gradient_variance._gradient_moments_of(made, name, 0, 2, None, lambda done, total: None)
    return seen


@pytest.mark.slow
def test_an_estimator_may_have_overrides_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("grpo", "grpo rollout.prompts=32 rollout.samples=4", "tvo_one_response")
    assert sizes_of_sessions(monkeypatch, tmp_path, *names) == [(16, 8), (32, 4), (128, 1)]
    with pytest.raises(UserError, match=r"rollouts=128: algorithm=grpo rollout\.prompts=8 draws 64 a batch"):
        sizes_of_sessions(monkeypatch, tmp_path, "grpo rollout.prompts=8")
    with pytest.raises(UserError, match=r"^algorithm\.next_token\.coefficient=1\.0: .*learns demonstrations too"):
        sizes_of_sessions(monkeypatch, tmp_path, "recap_next_token")
