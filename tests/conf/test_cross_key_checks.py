"""What can be said of a configuration before anything is loaded."""

from __future__ import annotations

import pytest

from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError

BAD = [
    ("rollout.minibatches=1.5", r"rollout\.minibatches=1\.5: must be a whole number"),
    ("trainer.steps=0", r"trainer\.steps=0: must be a whole number, more than 0"),
    ("optimizer.lr=-1e-4", r"optimizer\.lr=-0\.0001: must be a number, more than 0"),
    ("optimizer.lr=nan", r"optimizer\.lr=nan"),
    ("rollout.top_p=abc", r"rollout\.top_p=abc: must be a number in"),
    ("evaluation.temperature=-1", r"evaluation\.temperature=-1"),
    ("stability.on_collapse=panic", r"stability\.on_collapse=panic: not a choice\. Choose warn, stop, rollback"),
    ("rollout.minibatches=3", r"rollout\.minibatches=3: does not divide rollout\.prompts=16"),
    ("rollout.samples=1", r"rollout\.samples=1: the advantage of algorithm=grpo needs at least 2"),
    (
        "stability.refuse=6",
        r"stability\.refuse=6: 16 prompts against 16 show at most 5\.91 standard errors: it would n",
    ),
    ("algorithm.estimator._target_=this.x", r"algorithm\.estimator\._target_=this\.x"),
]


@pytest.mark.parametrize(("override", "said"), BAD)
def test_the_key_and_the_value_are_named(override: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=said):
        check_across_keys(config.compose(["algorithm=grpo", "output_dir=x", override]))
    assert "Beautiful is better" not in capsys.readouterr().out, "the target was imported"


def test_ppo_without_its_critic_is_refused() -> None:
    with pytest.raises(UserError, match=r"algorithm\.critic=None"):
        check_across_keys(config.compose(["algorithm=ppo", "output_dir=x", "algorithm.critic=null"]))


@pytest.mark.parametrize("algorithm", ["rloo", "tvo_rec"])
def test_a_group_method_asked_for_one_response_says_what_takes_one(algorithm: str) -> None:
    with pytest.raises(UserError, match=r"rollout\.samples=1: .* at least 2\. .* algorithm=tvo, for"):
        check_across_keys(config.compose([f"algorithm={algorithm}", "output_dir=x", "rollout.samples=1"]))


def test_one_response_is_never_both_right_and_wrong() -> None:
    """Dynamic sampling would draw as often as it may, keep nothing, and fill the batch up with the rest."""
    mixed = ["algorithm.sampling._target_=tvo_cli.rollout.MixedGroups", "+algorithm.sampling.size=1"]
    words = ["algorithm=tvo_one_response", *mixed, "+algorithm.sampling.most=10", "output_dir=x"]
    with pytest.raises(UserError, match=r"rollout\.samples=1: algorithm\.sampling=MixedGroups, .* at least 2"):
        check_across_keys(config.compose(words))
    check_across_keys(config.compose([*words, "rollout.prompts=64", "rollout.samples=2"]))


def test_a_majority_of_two_is_refused_where_responses_are_compared_within_their_group() -> None:
    """Against other prompts' responses, prompts on which two agree do learn."""
    words = ["algorithm=ettrl", "output_dir=x", "rollout.samples=2"]
    said = r"^rollout\.samples=2: algorithm\.reward_shaping\.majority_vote rewards two .* needs at least 3\. Take more"
    with pytest.raises(UserError, match=said):
        check_across_keys(config.compose(words))
    check_across_keys(config.compose([*words[:2], "rollout.samples=3"]))
    vote = "++algorithm.reward_shaping={vote: {_target_: tvo_cli.methods.majority_vote.majority_vote, _partial_: true}}"
    check_across_keys(config.compose(["algorithm=tvo", vote, *words[1:]]))


def test_greedy_responses_are_refused_where_they_are_compared_with_each_other() -> None:
    """A baseline of other prompts learns from them."""
    words = ["output_dir=x", "rollout.temperature=0"]
    with pytest.raises(UserError, match=r"^rollout\.temperature=0: is greedy: .* algorithm=grpo compares them"):
        check_across_keys(config.compose(["algorithm=grpo", *words]))
    check_across_keys(config.compose(["algorithm=tvo", *words]))


def test_a_rise_of_f_is_the_policys_only_where_the_problems_stay() -> None:
    chosen = config.compose(["algorithm=grpo", "output_dir=x", "stability.refuse=4", "curriculum=pass_rate"])
    with pytest.raises(UserError, match=r"^curriculum=pass_rate: pass_rate changes the problems"):
        check_across_keys(chosen)
    check_across_keys(config.compose(["algorithm=grpo", "output_dir=x", "stability.refuse=4"]))
