"""Remedies: in the keys of the trainer that wrote the log, only where it has them, and keys that it really has."""

from __future__ import annotations

import pytest

from tvo_cli import config
from tvo_cli.diagnosis.finding import Finding
from tvo_cli.diagnosis.registry import BY_NAME, FAILURES
from tvo_cli.diagnosis.setting_changes import change, ours, roll_back
from tvo_cli.diagnosis.training_log import RunFacts

SETTINGS = {
    "optimizer.lr": 9e-4,
    "rollout.samples": 8,
    "rollout.max_tokens": 20,
    "optimizer.clip_norm": 1.0,
    "algorithm.step_rule.maximum": 256.0,
}
FINDING = Finding("x", "warning", 1, 1, 1, True, "policy/kl_ref", "", {"threshold": 256.0})


@pytest.mark.parametrize(
    ("tool", "override"),
    [
        ("tvo", ("optimizer.lr=0.0003",)),
        ("trl", ("learning_rate=0.0003",)),
        ("verl", ("actor_rollout_ref.actor.optim.lr=0.0003",)),
        ("prime-rl", ("trainer.optim.lr=0.0003",)),
        ("other", ()),
    ],
)
def test_a_change_is_in_the_keys_of_the_trainer(tool: str, override: tuple[str, ...]) -> None:
    facts = RunFacts(tool=tool, settings=SETTINGS)
    assert change(facts, "learning rate", "smaller", factor=1 / 3).overrides == override


def test_what_a_trainer_has_no_setting_for_is_left_out() -> None:
    assert not change(RunFacts(tool="tvo"), "entropy bonus", "a bonus", value=0.001).text
    assert change(RunFacts(tool="other"), "entropy bonus", "a bonus", value=0.001).text == "a bonus"
    assert not ours(RunFacts(tool="trl"), "TVO", "algorithm=tvo").text
    assert not ours(RunFacts(tool="tvo", settings={"algorithm.name": "tvo"}), "TVO", "algorithm=tvo").text


def test_an_unknown_value_leaves_the_words() -> None:
    remedy = change(RunFacts(tool="trl"), "samples", "more samples", factor=2.0)
    assert (remedy.text, remedy.overrides) == ("more samples", ())


def test_every_override_is_of_a_key_that_there_is() -> None:
    facts = RunFacts(tool="tvo", settings=SETTINGS)
    overrides = {o for f in FAILURES for remedy in f.remedies(facts, FINDING) for o in remedy.overrides}
    algorithms = {one.partition("=")[2] for one in overrides if one.startswith("algorithm=")}
    assert algorithms and all(config.choice_path("algorithm", name).is_file() for name in algorithms)
    rest = {one.partition("=")[0]: one for one in overrides if not one.startswith("algorithm=")}
    if "refuse:" not in config.choice_path("stability", "default").read_text(encoding="utf-8"):
        rest.pop("stability.refuse")
    config.compose([*rest.values(), "algorithm=tvo", "output_dir=x"])


def test_a_clip_follows_the_median_that_a_spike_was_measured_by() -> None:
    (first, *_) = BY_NAME["gradient_spike"].remedies(RunFacts(tool="trl"), FINDING)
    assert first.overrides == ("max_grad_norm=26",)  # a tenth of the threshold: twice the median


def test_a_run_that_returns_by_itself_is_not_told_to() -> None:
    assert roll_back(RunFacts(tool="tvo", settings={"stability.on_collapse": "warn"})).overrides == ("stability=act",)
    assert not roll_back(RunFacts(tool="tvo", settings={"stability.on_collapse": "rollback"})).text
