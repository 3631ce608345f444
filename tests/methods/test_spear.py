"""SPEAR: the recipe beside Dr.GRPO, the loss of its replay on F0, and what it cannot be put together with."""

from __future__ import annotations

import pytest
import torch
from omegaconf import OmegaConf

from tests.methods.conftest import composed
from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.rollout import SelfImitation
from tvo_cli.training.replayed_updates import objective_of_replay
from tvo_cli.types import Tokens

OBJECTIVE = "algorithm.objective"
NEUTRAL = {"spear": ("dr_grpo", [f"{OBJECTIVE}.surrogate.high=0.2", f"{OBJECTIVE}.weight.share=0"])}
D = torch.float64


def test_a_token_whose_covariance_is_large_does_not_learn_from_the_replay() -> None:
    """Â = 0, 6; log π = −1, −5: means 3 and −3, so C = −6 and −6; with log π = −5, −1 it is 6 and 6, within (2, 60)."""
    imitation: SelfImitation = config.build(composed("spear").algorithm.self_imitation)

    def weight(first: float, second: float) -> list[list[float]]:
        logp = torch.tensor([[first], [second]], dtype=D)
        zero, mask = torch.zeros_like(logp), torch.ones(2, 1, dtype=torch.bool)
        advantage = torch.tensor([[0.0], [6.0]], dtype=D)
        tokens = Tokens(logp, logp, zero, zero, advantage=advantage, mask=mask, share=mask.double())
        found: list[list[float]] = imitation.weight(tokens).tolist()
        return found

    assert weight(-1, -5) == [[1.0], [1.0]]
    assert sorted(map(tuple, weight(-5, -1))) == [(0.0,), (1.0,)], "one token: the least that is drawn"


def test_the_loss_of_the_replay_has_the_weight_of_the_replay() -> None:
    """C = 6 of two tokens: among the replay's candidates, within (2, 60), and not among the batch's, within (1, 5)."""
    chosen = composed("spear").algorithm
    objective, imitation = config.build(chosen.objective), config.build(chosen.self_imitation)
    logp = torch.tensor([[-5.0], [-1.0]], dtype=D, requires_grad=True)
    zero, mask, advantage = torch.zeros(2, 1, dtype=D), torch.ones(2, 1, dtype=torch.bool), torch.tensor([[3.0], [9.0]])
    tokens = Tokens(logp, logp.detach(), zero, zero, advantage=advantage.double(), mask=mask, share=mask.double())
    silent = [
        int((torch.autograd.grad(made(tokens).total, logp)[0] == 0).sum())
        for made in (objective, objective_of_replay(objective, imitation, step=0))
    ]
    assert silent == [0, 1]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["algorithm.step_rule._target_=tvo_cli.optim.EarlyStop"], r"algorithm.step_rule=.*EarlyStop.*earlier batches"),
        (["algorithm.objective.reads.old_entropy=true"], "reads.old_entropy=.*only their log π_old is kept"),
    ],
)
def test_what_reads_fresh_responses_alone_is_refused(words: list[str], match: str) -> None:
    chosen = config.compose(["algorithm=spear", "output_dir=x", "logger=none"])
    check_across_keys(chosen)
    for word in words:
        key, _, value = word.partition("=")
        chosen.merge_with_dotlist([f"{key}={value}"])
    if "EarlyStop" in words[0]:
        chosen.algorithm.step_rule = config.compose(["algorithm=grpo_early_stop", "output_dir=x"]).algorithm.step_rule
    with pytest.raises(UserError, match=match):
        check_across_keys(chosen)


def test_an_inner_blocks_policy_keeps_nothing() -> None:
    chosen = config.compose(["algorithm=spear", "output_dir=x", "logger=none"])
    OmegaConf.set_struct(chosen, False)
    chosen.algorithm.internal_policy = composed("bupo").algorithm.internal_policy
    with pytest.raises(UserError, match=r"internal_policy.steps=3:.*whole network's"):
        check_across_keys(chosen)
