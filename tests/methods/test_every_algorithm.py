"""The contract: what must hold for each conf/algorithm/*.yaml, with no list of algorithms to keep."""

from __future__ import annotations

import copy
import importlib
import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from tvo_cli import config
from tvo_cli.objective import Objective
from tvo_cli.training.minibatch_forward import join_tokens
from tvo_cli.types import Experience, Loss, Tokens

from .conftest import composed

ALGORITHMS = config.choices_of_group("algorithm")
every_algorithm = pytest.mark.parametrize("name", ALGORITHMS)
LEAVES = ("logp", "entropy", "collision")
TENSORS = (*LEAVES, "old_logp", "advantage", "mask", "share", "ref_logp", "old_entropy", "covariance")
INF = "algorithm.objective"

# Settings at which an algorithm's loss and gradient must coincide with its base's, bit for bit.
NEUTRAL = {
    "grpo": ("reinforce", [f"{INF}.surrogate.low=inf", f"{INF}.surrogate.high=inf"]),
    "grpo_viscous": ("grpo", []),
    "grpo_shrunk": ("grpo", []),
    "grpo_shrunk_cv": ("grpo", [f"{INF}.forces.control.beta=0"]),
    "ppo": ("grpo", [f"{INF}.reduce._target_=tvo_cli.objective.reduction.sequence_mean"]),
    "tvo": ("tvo_rec", [f"{INF}.forces.control.beta=0"]),
    "tvo_macro": ("tvo", [f"{INF}.surrogate.cap=5", f"{INF}.weight.delta=0.5"]),
    "tvo_micro": ("tvo", []),
    "tvo_consistent": ("tvo", [f"{INF}.forces.control.beta=0"]),
    "tvo_rec": (
        "reinforce",
        [
            f"{INF}.surrogate.cap=inf",
            f"{INF}.weight.delta=inf",
            f"{INF}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    ),
}


# A method's own test says the same of it (NEUTRAL), and at which settings it acts on a small minibatch (ACTS).
ACTS: dict[str, list[str]] = {}
for found in sorted(Path(__file__).parent.glob("test_*.py")):
    if found.stem != Path(__file__).stem:
        module = importlib.import_module(f"{__package__}.{found.stem}")
        NEUTRAL |= getattr(module, "NEUTRAL", {})
        ACTS |= getattr(module, "ACTS", {})


@cache
def as_built(name: str, *overrides: str) -> Objective:
    """An objective as it was built, before any batch: only copied."""
    made: Objective = config.build(composed(name, *overrides).algorithm.objective)
    return made


def objective(name: str, *overrides: str) -> Objective:
    return copy.deepcopy(as_built(name, *overrides))


def loss_and_gradient(name: str, tokens: Tokens, *overrides: str) -> tuple[Loss, list[Tensor]]:
    built = objective(name, *overrides)
    tokens = replace(tokens, share=built.reduce(tokens.mask).double())
    loss = built(tokens)
    found = torch.autograd.grad(loss.total, [getattr(tokens, leaf) for leaf in LEAVES], allow_unused=True)
    return loss, [torch.zeros_like(tokens.logp) if g is None else g for g in found]


def nodes(node: DictConfig) -> Iterator[DictConfig]:
    for child in node.values():
        if isinstance(child, DictConfig):
            if "_target_" in child:
                yield child
            yield from nodes(child)


@every_algorithm
def test_the_yaml_names_exactly_the_keywords_of_its_target(name: str) -> None:
    for node in nodes(composed(name).algorithm):
        target = get_object(node._target_)
        given = {key for key in node if not str(key).startswith("_")}
        parameters = [p for p in inspect.signature(target).parameters.values() if p.name != "self"]
        keyword_only = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        required = {p.name for p in parameters if p.default is p.empty} if inspect.isclass(target) else keyword_only
        optional = {p.name for p in parameters} if inspect.isclass(target) else keyword_only
        assert required <= given <= optional, node._target_


@every_algorithm
def test_the_first_line_says_what_it_is_and_the_name_is_the_file(name: str) -> None:
    assert len(config.choice_comment("algorithm", name)) > 20
    assert composed(name).algorithm.name == name


@every_algorithm
def test_loss_and_gradient_are_finite_and_not_nothing(name: str, make_tokens: Callable[..., Tokens]) -> None:
    loss, gradients = loss_and_gradient(name, make_tokens())
    assert loss.total.isfinite()
    assert all(g.isfinite().all() for g in gradients)
    _, gradients = loss_and_gradient(name, make_tokens(drift=0.0))
    assert gradients[0].abs().sum() > 0


@every_algorithm
def test_padding_neither_learns_nor_leaks(name: str, make_tokens: Callable[..., Tokens]) -> None:
    tokens = make_tokens()
    dirty: dict[str, Any] = {
        key: torch.where(tokens.mask, getattr(tokens, key).detach(), 7.0)
        for key in TENSORS
        if key not in {"mask", "share"}
    }
    for leaf in LEAVES:
        dirty[leaf].requires_grad_()
    soiled = replace(make_tokens(), **dirty)
    clean, _ = loss_and_gradient(name, tokens, *acting(name))
    other, gradients = loss_and_gradient(name, soiled, *acting(name))
    torch.testing.assert_close(other.total, clean.total, rtol=1e-12, atol=1e-12)
    for gradient in gradients:
        assert (gradient[~soiled.mask] == 0).all()


@every_algorithm
def test_any_split_into_micro_batches_gives_the_same_loss_and_gradient(
    name: str, make_tokens: Callable[..., Tokens]
) -> None:
    tokens = make_tokens()
    built = objective(name, *acting(name))
    tokens = replace(tokens, share=built.reduce(tokens.mask).double(), seed=5)
    whole = built(tokens).total
    whole_gradient = torch.autograd.grad(whole, tokens.logp)[0]
    parts = [built(part).total for part in cut(tokens, whole=built.reads["minibatch"])]
    total = torch.stack(parts).sum()
    torch.testing.assert_close(total, whole, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(torch.autograd.grad(total, tokens.logp)[0], whole_gradient, rtol=1e-12, atol=0)


def test_a_statistic_of_a_micro_batch_alone_is_another_one(make_tokens: Callable[..., Tokens]) -> None:
    """What `reads.minibatch` is for: without the whole, the loss depends on the split, as in most released codes."""
    reading = [name for name in ALGORITHMS if objective(name).reads["minibatch"]]
    assert reading
    for name in reading:
        built = objective(name, *acting(name))
        tokens = replace(make_tokens(), share=built.reduce(make_tokens().mask).double(), seed=5)
        apart = sum(built(part).total for part in cut(tokens, whole=False))
        assert abs(float((apart - built(tokens).total).detach())) > 1e-6, name


def cut(tokens: Tokens, *, whole: bool) -> list[Tokens]:
    parts, detached = [], join_tokens([tokens]) if whole else None
    for rows in ([0], [1, 2], [3]):
        tensors = {key: getattr(tokens, key)[rows] for key in TENSORS}
        parts.append(replace(tokens, **tensors, whole=detached, start=rows[0]))
    return parts


def acting(name: str) -> list[str]:
    """Settings at which adaptive and rare pieces act on a small minibatch."""
    forces = composed(name).algorithm.objective.forces
    return ACTS.get(name, []) + ([f"{INF}.forces.control.beta=0.3"] if "control" in forces else [])


@every_algorithm
def test_no_gradient_flows_through_weights_advantages_or_the_old_policy(
    name: str, make_tokens: Callable[..., Tokens]
) -> None:
    built = objective(name, *acting(name))
    leaves = ("entropy", "collision", "old_logp", "advantage", "old_entropy", "covariance")
    tokens = make_tokens()
    tokens = replace(tokens, **{key: getattr(tokens, key).detach().clone().requires_grad_() for key in leaves})
    assert not built.weigh(tokens).requires_grad
    policy = built(replace(tokens, share=built.reduce(tokens.mask).double())).parts["policy"]
    reached = torch.autograd.grad(policy, [tokens.entropy, tokens.collision], allow_unused=True)
    assert all(gradient is None for gradient in reached)


@every_algorithm
def test_the_total_is_the_sum_of_its_parts(name: str, make_tokens: Callable[..., Tokens]) -> None:
    loss, _ = loss_and_gradient(name, make_tokens())
    torch.testing.assert_close(loss.total, sum(loss.parts.values()))


@pytest.mark.parametrize("name", NEUTRAL)
def test_at_neutral_settings_it_is_its_base(name: str, make_tokens: Callable[..., Tokens]) -> None:
    base, overrides = NEUTRAL[name]
    ours, gradient = loss_and_gradient(name, make_tokens(), *overrides)
    theirs, expected = loss_and_gradient(base, make_tokens())
    torch.testing.assert_close(ours.total, theirs.total, rtol=0, atol=0)
    torch.testing.assert_close(gradient[0], expected[0], rtol=0, atol=0)


def test_every_algorithm_but_the_root_has_a_neutral_setting() -> None:
    assert set(NEUTRAL) | {"reinforce"} >= set(ALGORITHMS)


@every_algorithm
def test_on_policy_good_tokens_rise_and_bad_ones_fall(name: str, make_tokens: Callable[..., Tokens]) -> None:
    tokens = make_tokens(drift=0.0)
    _, gradients = loss_and_gradient(name, tokens)
    learning = tokens.mask & (objective(name).weigh(tokens) > 0)
    assert learning.any()
    assert (torch.sign(gradients[0]) == -torch.sign(tokens.advantage) * learning).all()


@every_algorithm
def test_on_policy_every_algorithm_has_the_gradient_of_reinforce(name: str, make_tokens: Callable[..., Tokens]) -> None:
    """At D = 0 and at the same advantages, surrogates and mobilities are inert: only averaging may differ.

    A weight that is a statistic of the minibatch acts there too, and then it is all that differs.
    """
    reduce = composed(name).algorithm.objective.reduce
    averaging = [f"{INF}.reduce._target_=tvo_cli.objective.reduction.token_mean"]
    dropped = [f"~{INF}.reduce.{key}" for key in reduce if not str(key).startswith("_")]
    _, ours = loss_and_gradient(name, make_tokens(drift=0.0), *averaging, *dropped)
    _, plain = loss_and_gradient("reinforce", make_tokens(drift=0.0), *averaging)
    built = objective(name)
    weight = built.weigh(make_tokens(drift=0.0)) * make_tokens().mask
    if not built.reads["minibatch"]:
        assert (weight == make_tokens().mask).all()
    torch.testing.assert_close(ours[0], weight * plain[0], rtol=1e-12, atol=0)


@every_algorithm
def test_it_survives_the_extremes(name: str, make_tokens: Callable[..., Tokens]) -> None:
    tokens = make_tokens()
    extremes = {
        "certain": {"logp": torch.zeros(4, 6), "old_logp": torch.zeros(4, 6), "entropy": torch.zeros(4, 6)},
        "vanishing": {"old_logp": torch.full((4, 6), math.log(1e-8))},
        "equal rewards": {"advantage": torch.zeros(4, 6)},
        "one token": {"mask": torch.arange(6).expand(4, 6) < 1},
        "empty row": {"mask": tokens.mask & (torch.arange(4)[:, None] > 0)},
        "no token": {"mask": torch.zeros(4, 6, dtype=torch.bool)},
    }
    for case, changes in extremes.items():
        typed: dict[str, Any] = {k: v if v.dtype is torch.bool else v.double() for k, v in changes.items()}
        for leaf in LEAVES:
            typed.setdefault(leaf, getattr(tokens, leaf).detach())
            typed[leaf] = typed[leaf].clone().requires_grad_()
        loss, gradients = loss_and_gradient(name, replace(tokens, **typed), *acting(name))
        assert loss.total.isfinite(), case
        assert all(g.isfinite().all() for g in gradients), case


@every_algorithm
def test_its_advantages_survive_the_extremes(name: str, f0_experience: Experience) -> None:
    """Finite, 0 on padding, and exactly 0 where every response of every prompt has the same reward."""
    first = torch.arange(3) < 1
    extremes = {
        "equal rewards": {"rewards": torch.full((4,), 0.3, dtype=torch.float64)},
        "one token": {"mask": first.expand(4, 3)},
        "empty row": {"mask": f0_experience.mask & (torch.arange(4)[:, None] > 0)},
        "no token": {"mask": torch.zeros(4, 3, dtype=torch.bool)},
    }
    node = composed(name).algorithm.estimator
    for case, changes in extremes.items():
        values = torch.zeros(4, 3, dtype=torch.float64)
        found = config.build(node)(replace(f0_experience, **changes, values=values))
        mask = changes.get("mask", f0_experience.mask)
        assert found.values.isfinite().all() and math.isfinite(found.scale) and found.scale > 0, case
        assert (found.values[~mask] == 0).all(), case
        if case == "equal rewards" and not get_object(node._target_).needs_critic:
            assert (found.values == 0).all()


@every_algorithm
def test_every_piece_builds_and_its_state_survives_a_round_trip(name: str, make_tokens: Callable[..., Tokens]) -> None:
    node = composed(name).algorithm
    first, second = (config.build(node.objective) for _ in range(2))
    first.observe(replace(make_tokens(), logp=make_tokens().logp.detach()))
    first.end_batch(entropy=0.7)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    for part in (node.estimator, node.step_rule):
        one, other = config.build(part), config.build(part)
        other.load_state_dict(one.state_dict())
        assert other.state_dict() == one.state_dict()


def test_config_is_plain_data() -> None:
    assert OmegaConf.to_container(composed("tvo").algorithm, resolve=True)
