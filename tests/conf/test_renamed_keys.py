"""A key that has another name now: its old spelling means the same, and one line says so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tvo_cli import config
from tvo_cli.cli.launch import launch
from tvo_cli.comparison.analysis.arms_and_blocks import settings_that_name_arms
from tvo_cli.config import renamed_keys
from tvo_cli.config.renamed_keys import RENAMED
from tvo_cli.errors import UserError
from tvo_cli.runs.trial_settings import flat_trial_settings

OLD = {"rollout.batch_rows": 7, "stability.thicken": 3.0, "trainer.products": "default"}


@pytest.fixture(autouse=True)
def said_to_nobody_yet() -> None:
    renamed_keys._notify_of_renamed_key.cache_clear()


def value(chosen: object, key: str) -> object:
    from omegaconf import OmegaConf

    return OmegaConf.select(chosen, key)  # type: ignore[arg-type]


def test_every_renamed_key_is_tried() -> None:
    assert set(OLD) == set(RENAMED)


@pytest.mark.parametrize("plus", ["", "++"])
@pytest.mark.parametrize("old", OLD)
def test_an_override_by_the_old_name_sets_the_new_key(old: str, plus: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = config.compose([f"{plus}{old}={OLD[old]}"])
    assert value(chosen, RENAMED[old]) == OLD[old] and value(chosen, old) is None
    assert capsys.readouterr().err == f"note: {old} is called {RENAMED[old]} now; the old name is read until 1.0.\n"


def test_it_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        config.compose(["stability.thicken=3"])
    assert capsys.readouterr().err.count("stability.thicken") == 1


def test_a_sweep_over_the_old_name_is_one_over_the_new() -> None:
    assert config.normalised_overrides(["-m", "stability.thicken=2,4"]) == ["-m", "stability.viscosity_factor=2,4"]


def test_a_users_yaml_may_have_the_old_names(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = config.compose()
    plain = config.resolved_tree(chosen)
    plain["stability"]["thicken"] = 5.0
    from omegaconf import OmegaConf

    found = OmegaConf.create(plain)
    config.check_composed_config(found, "train", [])
    assert found.stability.viscosity_factor == 5.0 and "thicken" not in found.stability
    assert "stability.viscosity_factor" in capsys.readouterr().err


def test_a_fingerprint_stays_that_of_the_first_names() -> None:
    from omegaconf import OmegaConf

    new = config.resolved_tree(config.compose())
    old = config.resolved_tree(config.compose())
    for was, now in RENAMED.items():
        group, _, name = was.partition(".")
        old[group][name] = old[group].pop(now.partition(".")[2])
    old["trainer"].pop("products")  # never part of a fingerprint
    assert config.config_fingerprint(OmegaConf.create(new)) == config.config_fingerprint(OmegaConf.create(old))
    changed = config.compose(["rollout.batch_size=1"])
    assert config.config_fingerprint(changed) != config.config_fingerprint(OmegaConf.create(new))


def test_a_recorded_config_is_read_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    text = "stability: {thicken: 4.0}\nrollout: {batch_rows: 9}\n"
    found = config.load_recorded_config(text)
    assert found.stability.viscosity_factor == 4.0 and found.rollout.batch_size == 9
    assert capsys.readouterr().err == ""


def test_runs_of_both_versions_have_the_same_settings() -> None:
    assert flat_trial_settings({"stability": {"thicken": 2.0}}) == flat_trial_settings(
        {"stability": {"viscosity_factor": 2.0}}
    )


def test_compare_takes_the_old_name_for_the_new() -> None:
    trial = SimpleNamespace(settings={"stability.viscosity_factor": 2.0})
    assert settings_that_name_arms(["stability.thicken"], [trial]) == ("stability.viscosity_factor",)  # type: ignore[list-item]


@pytest.mark.slow
def test_a_presets_own_sweep_over_an_old_name_is_told_the_new(tmp_path: Path) -> None:
    preset = tmp_path / "experiment" / "mine.yaml"
    preset.parent.mkdir()
    preset.write_text("# @package _global_\nhydra: {sweeper: {params: {stability.thicken: '2,4'}}}\n")
    words = ["-m", "--config-dir", str(tmp_path), "experiment=mine", f"output_dir={tmp_path / 'run'}"]
    with pytest.raises(UserError, match=r"stability\.thicken.* It is called stability\.viscosity_factor now\."):
        launch(lambda node: None, "train", words, program="tvo train")


def test_no_file_of_conf_has_an_old_name() -> None:
    names = {name.partition(".")[2] for name in RENAMED}
    for path in Path(config.conf_dir()).glob("*/*.yaml"):
        words = {line.partition(":")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()}
        assert not names & words, path
