"""How often each recipe uses a rollout batch: what its authors did, not what is usual here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.config.schema.target_keywords import check_target_keywords

from .conftest import composed

ONCE = "cispo clip_cov dapo dppo_kl dppo_tv dr_grpo forking_tokens gspo kl_cov reinforce_plus reinforce_plus_baseline"
ONCE += " siren siren_viscous steer steer_exact"
ONCE += " aepo_agentic ares canon canon_dynamic entropy_performance hapo light_if llds perplexity_shaping"
ONCE += " position_shaping cure ettrl aepo_branching bupo spear"
ONE_UPDATE = "grpo grpo_entropy_bonus grpo_target_entropy reinforce rloo avspo clip_b clip_v empg epo scope tip"
ONE_UPDATE += " recap recap_next_token information_consistency pear progrpo trust_grpo tw_grpo"
FOUR = "ppo grpo_early_stop grpo_early_stop_kl kl_cov_early_stop grpo_viscous grpo_shrunk grpo_shrunk_cv"
FOUR += " grpo_shrunk_cv_consistent grpo_shrunk_cv_first_order grpo_shrunk_cv_one_response grpo_shrunk_cv_sharpened"
FOUR += " grpo_overdamped tvo_overdamped tvo_2025 tvo_first_order tvo_fluctuation tvo_one_response tvo_sharpened"
FOUR += " tvo tvo_consistent tvo_cosine tvo_macro tvo_micro tvo_rec tvo_river_valley"
PASSES = {
    **dict.fromkeys(ONCE.split(), (1, 4)),
    **dict.fromkeys(ONE_UPDATE.split(), (1, 1)),
    **dict.fromkeys(FOUR.split(), (4, 4)),
    "grpo_kl_adaptive": (5, 4),
}


DEFAULT = OmegaConf.load(config.conf_dir() / "rollout" / "default.yaml")


@pytest.mark.parametrize("name", config.choices_of_group("algorithm"))
def test_passes_and_minibatches(name: str) -> None:
    found = OmegaConf.merge(DEFAULT, composed(name).get("rollout", {}))
    assert (found.epochs, found.minibatches) == PASSES[name]


@pytest.mark.parametrize("name", config.choices_of_group("algorithm"))
def test_each_yaml_says_which_passes_and_why(name: str) -> None:
    text = (config.conf_dir() / "algorithm" / f"{name}.yaml").read_text(encoding="utf-8")
    assert "# Passes: " in text


@pytest.mark.parametrize("name", ["dapo", "tvo"])
def test_the_command_line_has_the_last_word(name: str) -> None:
    rollout = config.compose([f"algorithm={name}", "logger=none", "rollout.epochs=3", "rollout.minibatches=2"]).rollout
    assert (rollout.epochs, rollout.minibatches) == (3, 2)


def test_the_rivals_keep_theirs_and_the_second_table_gives_all_four() -> None:
    def of(experiment: str, name: str) -> tuple[int, int]:
        rollout = config.compose([f"experiment={experiment}", f"algorithm={name}", "logger=none"]).rollout
        return rollout.epochs, rollout.minibatches

    assert of("rivals_small", "grpo") == (1, 1) and of("rivals_small", "ppo") == (4, 4)
    assert of("rivals_small_four_passes", "dapo") == of("rivals_small_four_passes", "grpo_kl_adaptive") == (4, 4)
    assert of("stability_small", "grpo") == (4, 4)


def built_nodes(path: str, node: Any) -> Iterator[tuple[str, Any]]:
    """What has a `_target_`, outermost first."""
    if isinstance(node, dict) and "_target_" in node:
        yield path, node
    elif isinstance(node, dict):
        for name, one in node.items():
            yield from built_nodes(f"{path}.{name}", one)


@pytest.mark.parametrize("name", config.choices_of_group("algorithm"))
def test_its_keywords_have_values_that_are_taken(name: str) -> None:
    """What a keyword's name takes is declared for all methods: two that mean different things by one name collide."""
    nodes = list(built_nodes("algorithm", config.resolved_tree(composed(name).algorithm)))
    assert nodes
    for path, node in nodes:
        check_target_keywords(path, node)
