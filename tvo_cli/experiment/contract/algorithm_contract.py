"""The contract of an algorithm: what must hold whatever its mathematics, checked without a model.

`tvo check-algorithm` and the tests of conf/algorithm run the same checks.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tvo_cli import config as configuration
from tvo_cli.advantage import Estimator
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_algorithm import build_estimator
from tvo_cli.experiment.contract import objective_contract
from tvo_cli.experiment.contract.contract_samples import (
    earlier_experiences,
    extreme_experiences,
    sample_experience,
    sample_tokens,
)
from tvo_cli.experiment.contract.objective_contract import CheckedAlgorithm, ContractBroken, require_contract
from tvo_cli.objective.reduction import Reduction
from tvo_cli.plugins.own_failure import own_failure
from tvo_cli.types import Advantage


class Check(NamedTuple):
    """A check of the algorithm's contract, and the sentence that it proves."""

    sentence: str
    run: Callable[[CheckedAlgorithm], None]


def check_estimator(one: CheckedAlgorithm) -> None:
    """Advantages are finite, [B, T], 0 on padding, and 0 where all rewards are equal; κ is positive."""
    fresh, used = build_estimator(one.acting), estimator_that_remembers(one.acting)
    for when, made in (("", fresh), ("after earlier batches, ", used)):
        teaches = getattr(made, "teaches_equal_rewards", False) or made.needs_critic
        for case, experience in extreme_experiences():
            found = copy.deepcopy(made)(experience)
            _check_advantage(f"{when}{case}", found, experience.mask)
            _check_counted(f"{when}{case}", found, experience.mask, one.objective(acting=True).reduce)
            if case == "equal rewards" and not teaches:
                require_contract((found.values == 0).all(), f"{when}equal rewards have advantages")


def estimator_that_remembers(algorithm: Any) -> Estimator:
    """The algorithm's estimator with its shapings after a few batches."""
    made = build_estimator(algorithm)
    for experience in earlier_experiences():
        made(experience)
        made.end_batch(experience)
    return made


def _check_advantage(case: str, found: Advantage, mask: Tensor) -> None:
    """The values and κ of an estimator's advantage in one of the contract's cases."""
    require_contract(found.values.shape == mask.shape, f"{case}: advantages of {list(found.values.shape)}")
    require_contract(found.values.isfinite().all(), f"{case}: an advantage is not finite")
    require_contract(math.isfinite(found.scale) and found.scale > 0, f"{case}: κ is {found.scale}")
    require_contract((found.values[~mask] == 0).all(), f"{case}: padding has an advantage")


def _check_counted(case: str, found: Advantage, mask: Tensor, reduce: Reduction) -> None:
    """The tokens that an advantage lets count are response tokens, and they alone have a share of the loss."""
    if found.counted is None:
        return
    shape, kind = list(found.counted.shape), found.counted.dtype
    require_contract(shape == list(mask.shape) and kind is torch.bool, f"{case}: counted is {kind} of {shape}")
    require_contract(not (found.counted & ~mask).any(), f"{case}: padding counts")
    share = reduce(found.counted)
    require_contract(share.isfinite().all(), f"{case}: the share of a token is not finite where some do not count")
    require_contract((share[~found.counted] == 0).all(), f"{case}: a token that does not count has a share")


def check_state(one: CheckedAlgorithm) -> None:
    """Every piece builds, and what it carries between batches survives a checkpoint."""
    first, second = one.objective(), one.objective()
    first.observe(replace(sample_tokens(), logp=sample_tokens().logp.detach()))
    first.end_batch(entropy=0.7)
    second.load_state_dict(first.state_dict())
    require_contract(second.state_dict() == first.state_dict(), "the objective's state is lost")
    made, other = estimator_that_remembers(one.acting), build_estimator(one.acting)
    _check_restored("estimator", made, other)
    found, expected = (copy.deepcopy(own)(sample_experience()).values for own in (other, made))
    same = torch.allclose(found, expected, rtol=0.0, atol=0.0, equal_nan=True)
    require_contract(same, "the estimator estimates otherwise after a checkpoint")
    _check_restored("step_rule", _build_step_rule(one.node), _build_step_rule(one.node))


def _check_restored(part: str, made: Any, other: Any) -> None:
    """Give a piece's state to another one and require that it is the same there."""
    other.load_state_dict(made.state_dict())
    require_contract(other.state_dict() == made.state_dict(), f"the {part}'s state is lost")


def _build_step_rule(algorithm: Any) -> Any:
    """The step rule of the algorithm that is held against the contract, built anew for each check."""
    return configuration.build(algorithm.step_rule)


CHECKS = (
    Check("every piece builds, and its state survives a checkpoint", check_state),
    Check("every piece returns one number a token", objective_contract.check_shapes),
    Check("loss and gradient are finite and not nothing", objective_contract.check_finite),
    Check("they are finite at the extremes", objective_contract.check_extremes),
    Check("padding neither learns nor leaks", objective_contract.check_padding),
    Check("any split into micro-batches gives the same loss and gradient", objective_contract.check_micro_batches),
    Check("no gradient flows through weights, advantages or the old policy", objective_contract.check_detached),
    Check("the total is the sum of its parts", objective_contract.check_total),
    Check("on-policy good tokens rise and bad ones fall", objective_contract.check_direction),
    Check("on-policy the gradient is that of REINFORCE times the weight", objective_contract.check_on_policy),
    Check("advantages are finite, 0 on padding and 0 where rewards are equal", check_estimator),
)


NOT_RUN = "not run"


def broken_checks(node: Any, acting: Any = None) -> Iterator[tuple[str, str]]:
    """Run every check on an algorithm's node; yield each sentence and what breaks it, "" where it holds.

    An error that stops several checks is told at the first of them; the others were then not run.
    """
    one = CheckedAlgorithm(node, node if acting is None else acting)
    told: dict[str, str] = {}
    for check in CHECKS:
        try:
            check.run(one)
            yield check.sentence, ""
        except ContractBroken as broken:
            yield check.sentence, str(broken)
        except Exception as error:  # own code may raise anything: it is told, and the next check follows
            cause = contract_error_text(error)
            first = told.setdefault(_place_or_text(cause), check.sentence)
            yield check.sentence, cause if first is check.sentence else f"{NOT_RUN}: stopped by the error above"


def contract_error_text(error: Exception) -> str:
    """Return an error that a check of an algorithm raised as text, with file and line where it is own code's."""
    own = error if isinstance(error, UserError) else own_failure(error)
    return f"{type(error).__name__}: {error}" if own is None else str(own)


def _place_or_text(cause: str) -> str:
    """Return what tells one error from another whatever the shapes of its samples: a line of own code, or its text."""
    line = re.search(r"\([^()]+, line \d+\)", cause)
    return line[0] if line else re.sub(r"\d+", "", cause)
