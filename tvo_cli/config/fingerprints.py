"""The fingerprint of a config: a sha256 of what decides a run's numbers."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from tvo_cli.config.groups import conf_dir
from tvo_cli.config.moved_targets import target_before_move
from tvo_cli.config.renamed_keys import with_first_key_names
from tvo_cli.config.resolvers import resolved_tree
from tvo_cli.config.targets_in_tree import with_targets

NOT_THE_EXPERIMENT = (
    "output_dir",
    "experiment_name",
    "run_name",
    "logger",
    "parallel",
    "resume",
    "recorder",
    "sweep_objective",
    "hydra",
)  # left out of fingerprints
KEYS_LEFT_OUT = {  # of groups, likewise: the same numbers within rounding
    "trainer": ("matmul", "microbatch_tokens", "save_policy_only", "profile"),
    "rollout": ("cache_gb", "url", "model", "weights", "folder", "untie", "requests", "timeout", "mismatch_limit"),
}
RULES_SINCE = ("evaluation_drop", "entropy_rise")  # collapse rules that 0.1 did not have
KEYS_OF_RULES_SINCE = {"entropy_floor": ("held",), "answer_floor": ("held",)}  # keys, likewise
REWARD_BEFORE: dict[str, Any] = {
    "scorer": None,
    "correct": 1.0,
    "functions": [],
    "weighting": "fixed",
    "on_error": "stop",
}


def _with_automatic_settings(model: dict[str, Any]) -> dict[str, Any]:
    """Return a model that is trained with what its `auto` comes to, as far as files tell: the same run either way."""
    prompt = model.get("prompt") or {}
    if prompt.get("template") == "auto":
        model = model | {"prompt": prompt | {"template": _template_of_folder(str(model["path"]))}}
    return model | {"dtype": "float32"} if model.get("dtype") == "auto" else model


def _template_of_folder(path: str) -> str:
    """For the fingerprint of `auto`: chat or plain for a model in a local folder, auto for any other."""
    folder = Path(path).expanduser()
    if path.startswith("packaged:"):
        return "plain"
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "auto"
    return "chat" if settings.get("chat_template") or (folder / "chat_template.jinja").is_file() else "plain"


def without_empty_template_keywords(tree: Any) -> Any:
    """Return the tree without `chat_template_kwargs` that say nothing: earlier versions had no such key."""
    if not isinstance(tree, dict):
        return tree
    kept = {key: value for key, value in tree.items() if key != "chat_template_kwargs" or value}
    return {key: without_empty_template_keywords(value) for key, value in kept.items()}


def config_fingerprint(config: Any) -> str:
    """Return the sha256 of what decides a run's numbers: the resolved config without name, folder and loggers."""
    tree = {key: value for key, value in resolved_tree(config).items() if key not in NOT_THE_EXPERIMENT}
    for group, left_out in KEYS_LEFT_OUT.items():
        if group in tree:
            tree[group] = {key: value for key, value in tree[group].items() if key not in left_out}
    if tree.get("stability", {}).get("reference") == "auto":  # the key's value where `auto` was not known yet
        tree["stability"] = tree["stability"] | {"reference": True}
    if "trainer" in tree and "model" in tree:
        tree["model"] = _with_automatic_settings(tree["model"])
    tree = without_empty_template_keywords(_without_unused_keys(tree))
    tree = with_targets(with_first_key_names(tree), target_before_move)
    return hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()


def _without_unused_keys(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree without what a run does not use that was recorded before the keys existed."""
    tree = {key: value for key, value in tree.items() if value or key not in ("plugins", "own_code")}
    tree = {key: value for key, value in tree.items() if (key, value) != ("precision", "auto")}  # of tvo sft
    if isinstance(tree.get("stability"), dict):
        tree = tree | {"stability": _without_later_stability_keys(tree["stability"])}
    if tree.get("adapter", {}).get("kind") == "none":
        tree = {key: value for key, value in tree.items() if key != "adapter"}
    optimizer = tree.get("optimizer")
    if isinstance(optimizer, dict) and optimizer.get("warm_up") == 0:
        tree = tree | {"optimizer": {key: value for key, value in optimizer.items() if key != "warm_up"}}
    if isinstance(tree.get("reward"), dict):
        tree = tree | {"reward": _without_unused_reward_keys(tree["reward"])}
    model = tree.get("model")
    if isinstance(model, dict) and model.get("quantise") is None:
        tree = tree | {"model": {key: value for key, value in model.items() if key != "quantise"}}
    return _without_unused_data_keys(tree)


def _without_later_stability_keys(stability: dict[str, Any]) -> dict[str, Any]:
    """Return it without a rule that refuses nothing, and without the collapse rules of today as they are shipped."""
    unused = ["readings"]  # they change no number of a run
    unused += [] if stability.get("refuse") else ["refuse", "refuse_drift"]
    kept = {key: value for key, value in stability.items() if key not in unused}
    if isinstance(kept.get("rules"), dict):
        shipped = _shipped_collapse_rules()
        later = [name for name in RULES_SINCE if name in kept["rules"] and kept["rules"][name] == shipped[name]]
        rules = {name: rule for name, rule in kept["rules"].items() if name not in later}
        kept["rules"] = {name: _without_later_rule_keys(name, rule, shipped) for name, rule in rules.items()}
    return kept


def _without_later_rule_keys(name: str, rule: Any, shipped: dict[str, Any]) -> Any:
    """Return a collapse rule without the keys of today that are as they are shipped."""
    later = [key for key in KEYS_OF_RULES_SINCE.get(name, ()) if rule and rule.get(key) == shipped[name][key]]
    return {key: value for key, value in rule.items() if key not in later} if later else rule


@lru_cache(maxsize=1)
def _shipped_collapse_rules() -> dict[str, Any]:
    """The collapse rules of conf/stability/default.yaml: later keys that are as there have no part in a fingerprint."""
    from omegaconf import OmegaConf

    found: Any = OmegaConf.to_container(OmegaConf.load(conf_dir() / "stability" / "default.yaml"))
    return dict(found["rules"])


def _without_unused_data_keys(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree without a curriculum that is none, and without test sets where there are none."""
    if tree.get("curriculum", {}).get("kind") == "none":
        tree = {key: value for key, value in tree.items() if key != "curriculum"}
    evaluation = tree.get("evaluation")
    if isinstance(evaluation, dict):
        unset = [key for key in ("test_sets", "best") if not evaluation.get(key)]
        tree = tree | {"evaluation": {key: value for key, value in evaluation.items() if key not in unset}}
    return tree


def _without_unused_reward_keys(reward: dict[str, Any]) -> dict[str, Any]:
    """Return a reward without what says what was always so, and without settings of a weighting that is not chosen."""
    weighting = reward.get("weighting", "fixed")
    others = {"hypervolume", "gradient", "recap", "isolated"} - {weighting}
    return {
        key: value
        for key, value in reward.items()
        if key not in others and not (key in REWARD_BEFORE and value == REWARD_BEFORE[key])
    }
