"""What the tests keep of Hydra's work is what Hydra composes: the same config, first made and then copied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from tests import composing
from tvo_cli import config

GROUPS = ("algorithm", "dataset", "experiment", "logger", "model", "optimizer", "reward", "rollout", "stability")
CHOSEN = [
    (),
    ("algorithm=siren", "dataset=gsm8k", "seed=4"),
    ("algorithm=ppo", "experiment=quick", "rollout.prompts=3"),
    ("experiment=quick", "algorithm=ppo"),
    ("logger=wandb", "stability.rules.kl_ceiling=null", "algorithm=cispo"),
]
EVERY = [(f"{group}={name}",) for group in GROUPS for name in config.choices_of_group(group)]


def composed(words: Sequence[str]) -> str:
    """The whole config as Hydra composes it, its own node included; a refusal is compared as well."""
    config.register_resolvers()
    try:
        with initialize_config_dir(str(config.conf_dir()), version_base="1.3"):
            return OmegaConf.to_yaml(compose("train", list(words), return_hydra_config=True))
    except HydraException as error:
        return repr(error)


def assert_same_as_hydras(choices: Sequence[Sequence[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose in one order with what is kept, then again, and compare with Hydra alone."""
    monkeypatch.setattr(composing, "kept", {})
    kept, again = [composed(words) for words in choices], [composed(words) for words in choices]
    with monkeypatch.context() as alone:
        composing.forget(alone)
        hydras = [composed(words) for words in choices]
    assert kept == hydras and again == hydras


@pytest.mark.slow
def test_a_kept_config_is_hydras(monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_as_hydras(CHOSEN, monkeypatch)
    assert Path(composing.OURS).is_dir() and any(key[0] == "joined" for key in composing.kept)


@pytest.mark.slow
def test_every_kept_choice_is_hydras(monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_as_hydras(EVERY, monkeypatch)
