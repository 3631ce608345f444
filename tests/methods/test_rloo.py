"""RLOO: the leave-one-out advantage, a response as one action, and the KL that the baseline knows of."""

import pytest
import torch

from tvo_cli.advantage import GroupCentred, LeaveOneOut

REDUCE = "algorithm.objective.reduce"
NEUTRAL = {
    "rloo": ("reinforce", [f"{REDUCE}._target_=tvo_cli.objective.pieces.sequence_mean", f"~{REDUCE}.length"]),
}
# exp(l − l0) by hand: .05 .4 −.3 | −.4 .1 | 0 .2 −.1 | .02, over 4 responses, times −Â = ∓1.
RATIO = [[1.051271, 1.491825, 0.740818], [0.670320, 1.105171, 0], [1, 1.221403, 0.904837], [1.020201, 0, 0]]


def test_on_f0(on_f0, assert_near):
    found = on_f0("rloo")
    assert found.tokens.advantage[:, 0].tolist() == [1.0, -1.0, -1.0, 1.0]
    signs = (-1, 1, 1, -1)
    assert_near(found.gradient, [[sign * x / 4 for x in row] for sign, row in zip(signs, RATIO)])
    assert found.loss == pytest.approx((-3.283914 + 1.775491 + 3.126240 - 1.020201) / 4, abs=1e-6)


def test_it_is_g_over_g_minus_one_of_the_centred_reward(f0_experience):
    ours, centred = (estimator(f0_experience).values for estimator in (LeaveOneOut(), GroupCentred()))
    torch.testing.assert_close(ours, 2 * centred)


def test_the_kl_is_charged_before_the_baseline(f0_experience):
    """Row sums of l0 − lr are −0.1 (.1 − .2), 0, −0.1 and 0; at c = 1 rewards become 1.1, 0, 0.1, 1."""
    found = LeaveOneOut(kl_coef=1.0)
    assert found.needs_reference and not LeaveOneOut().needs_reference
    assert found(f0_experience).values[:, 0].tolist() == pytest.approx([1.1, -1.1, -0.9, 0.9])
