from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.reward import Rewards
from tvo_cli.reward.grader_settings import GraderSettings
from tvo_cli.reward.reward_terms import overlong_penalty
from tvo_cli.types import Verdict

RIGHT, WRONG = Verdict(True, "5", "equal"), Verdict(False, "6", "different")
BROKEN = Verdict(False, "5", "timeout", failed=True)
BOX = r"\boxed{5}"
OFF = {"format": 0.0, "length": {"weight": 0.0, "maximum": 16, "buffer": 0.25}}


def test_correct_is_one_and_everything_else_nothing() -> None:
    assert Rewards(OFF).score([RIGHT, WRONG, BROKEN], [BOX] * 3, [16] * 3, [True] * 3) == [1.0, 0.0, 0.0]
    assert Rewards({}).score([RIGHT], [BOX], [1], [True]) == [1.0]


@pytest.mark.parametrize(("tokens", "term"), [(5, 0.0), (12, 0.0), (13, -0.25), (14, -0.5), (16, -1.0), (40, -1.0)])
def test_the_overlong_term(tokens: int, term: float) -> None:
    assert overlong_penalty(tokens, 16, 4) == term
    shaped = Rewards({"format": 0.0, "length": {"weight": 0.5, "maximum": 16, "buffer": 0.25}})
    assert shaped.score([RIGHT, WRONG], [BOX] * 2, [tokens] * 2, [True] * 2) == [1.0 + term / 2, term / 2]


def test_the_format_term_wants_exactly_one_box_and_an_end() -> None:
    rewards = Rewards({**OFF, "format": 0.25})
    texts = [BOX, "5", BOX + BOX, BOX, BOX]
    verdicts = [WRONG, WRONG, WRONG, RIGHT, WRONG]
    assert rewards.score(verdicts, texts, [3] * 5, [True, True, True, True, False]) == [0.25, 0.0, 0.0, 1.25, 0.0]


def test_a_failure_of_the_grader_is_nothing_whatever_the_form() -> None:
    rewards = Rewards({"format": 1.0, "length": {"weight": 1.0, "maximum": 16, "buffer": 0.25}})
    assert rewards.score([BROKEN, BROKEN], [BOX, BOX], [3, 16], [True, True]) == [0.0, 0.0]


@pytest.mark.parametrize(("key", "value"), [("maximum", 0), ("buffer", 0.0), ("buffer", 1.5)])
def test_a_length_term_needs_its_numbers(key: str, value: float) -> None:
    with pytest.raises(UserError, match=f"reward.length.{key}"):
        Rewards({"length": {"weight": 1.0, "maximum": 16, "buffer": 0.25, key: value}})


@pytest.mark.parametrize(
    ("name", "profile"), [("math", "math"), ("aime", "aime"), ("digits", "digits"), ("shaped", "math")]
)
def test_every_yaml_composes_and_builds(name: str, profile: str) -> None:
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base=None):
        node = compose("reward/" + name, overrides=["+rollout.max_tokens=64", "+dataset.profile=math"])
    reward = node.reward
    reward._set_parent(node)
    assert GraderSettings.of(reward) == GraderSettings(profile=profile)
    rewards = Rewards(reward)
    assert (rewards.format, rewards.weight) == ((0.1, 0.5) if name == "shaped" else (0.0, 0.0))
    assert (rewards.maximum, rewards.buffer) == (64, pytest.approx(12.8))


@pytest.mark.parametrize("kind", ["hypervolume", "gradient"])
def test_a_weighting_is_a_choice_of_a_reward_with_three_terms(kind: str) -> None:
    by_name = config.compose([f"reward=by_{kind}", "output_dir=x", "logger=none"])
    by_setting = config.compose(["reward=shaped", f"reward.weighting={kind}", "output_dir=x", "logger=none"])
    assert by_name.reward == by_setting.reward and by_name.reward.weighting == kind
    check_across_keys(config.compose([f"reward=by_{kind}", "output_dir=x", "logger=none", "evaluation.every=20"]))
