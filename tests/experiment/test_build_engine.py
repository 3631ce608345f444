"""The engine of an evaluation, of a run that goes on: the checkpoint that is loaded may be removed meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.decoded_rows import note_rows_of_each_step
from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment import build_engine as building
from tvo_cli.model import load_policy
from tvo_cli.model.model_files.model_location import WEIGHTS
from tvo_cli.model.model_files.weights_fingerprint import weights_fingerprint
from tvo_cli.rollout import SamplingParams


def policy(run: Path, step: int) -> Path:
    """A checkpoint's policy; each has a file of its own, so that their fingerprints differ."""
    folder = run / "checkpoints" / f"step-{step:06d}" / "policy"
    shutil.copytree(WEIGHTS / "tiny", folder)
    (folder / "step.json").write_text(str(step))
    return folder


def pruned_while_loading(monkeypatch: pytest.MonkeyPatch, run: Path, times: int) -> list[str]:
    """The run removes what is being loaded, so many times, and saves a newer one; what was taken for loading."""
    monkeypatch.setattr("tvo_cli.model.model_files.policy_checkpoint._is_policy_whole", lambda folder: True)
    seen: list[str] = []

    def remove_first(node: Any, **more: Any) -> Any:
        [held] = (run / "checkpoints").iterdir()
        seen.append(str(node.checkpoint))
        if len(seen) <= times:
            shutil.rmtree(held)
            policy(run, len(seen) + 1)
        return load_policy(node, **more)

    monkeypatch.setattr("tvo_cli.experiment.build_engine.load_policy", remove_first)
    return seen


@pytest.mark.slow
def test_a_newer_checkpoint_is_taken_where_the_first_goes_while_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy(tmp_path, 1)
    seen, told = pruned_while_loading(monkeypatch, tmp_path, 1), list[str]()
    wanted = config.compose(["output_dir=x", f"model.path={tmp_path}"], "eval")
    _, weights = building.build_engine_with_fingerprint(wanted, told.append)
    assert seen == ["step-000001", "step-000002"] and wanted.model.checkpoint == "last"
    assert weights == weights_fingerprint(str(tmp_path / "checkpoints/step-000002/policy")) != ""
    assert len(told) == 1 and "step-000001 was removed while it was loaded" in told[0]


def test_one_that_goes_each_time_is_named_as_removed_and_not_as_a_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy(tmp_path, 1)
    seen = pruned_while_loading(monkeypatch, tmp_path, building.TRIES)
    wanted = config.compose(["output_dir=x", f"model.path={tmp_path}"], "eval")
    with pytest.raises(UserError, match=r"step-000003 was removed while it was loaded.*trainer\.keep") as refused:
        building.build_engine_with_fingerprint(wanted, lambda said: None)
    assert len(seen) == building.TRIES and "network" not in str(refused.value)


def test_the_rows_of_an_evaluation_are_those_that_its_cache_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, prompts = note_rows_of_each_step(monkeypatch), ["7 + 3 ="] * 6
    for cache, most in (("auto", 6), ("1e-9", 1)):
        rows.clear()
        wanted = config.compose(["output_dir=x", f"rollout.cache_gb={cache}"], "eval")
        building.build_engine(wanted).engine(prompts, list("abcdef"), SamplingParams(1, 4), 0)
        assert max(rows) == most
