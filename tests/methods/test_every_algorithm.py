"""The contract: what must hold for each conf/algorithm/*.yaml, with no list of algorithms to keep."""

from __future__ import annotations

import copy
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
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
from tvo_cli.experiment.contract.algorithm_contract import CHECKS, Check
from tvo_cli.experiment.contract.contract_samples import LEAVES, sample_in_micro_batches
from tvo_cli.experiment.contract.objective_contract import CheckedAlgorithm
from tvo_cli.objective import Objective
from tvo_cli.types import Loss, Tokens

from .conftest import composed

ALGORITHMS = config.choices_of_group("algorithm")
# Recipes that put together what others have, or shape an advantage as others do: `make test-slow` checks them.
COMBINED = {
    *("aepo_branching", "cure", "ettrl", "light_if", "bupo", "recap", "recap_next_token", "spear"),
    *("aepo_agentic", "ares", "canon", "clip_b", "clip_v", "empg", "information_consistency", "llds", "pear"),
    *("perplexity_shaping", "position_shaping", "progrpo", "trust_grpo", "tw_grpo"),
    *("canon_dynamic", "entropy_performance", "grpo_early_stop_kl", "grpo_overdamped", "grpo_shrunk", "grpo_viscous"),
    *(f"grpo_shrunk_cv_{piece}" for piece in ("consistent", "first_order", "one_response", "sharpened")),
    *("kl_cov_early_stop", "siren_viscous", "tvo_2025", "tvo_cosine", "tvo_first_order", "tvo_fluctuation"),
    *("tvo_macro", "tvo_micro", "tvo_one_response", "tvo_river_valley", "tvo_sharpened"),
}


def by_speed(names: Iterable[str]) -> list[Any]:
    """Names to test with, those of COMBINED among the slow tests."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in COMBINED else name for name in names]


every_algorithm = pytest.mark.parametrize("name", by_speed(ALGORITHMS))
INF = "algorithm.objective"

# Settings at which an algorithm's loss and gradient must coincide with its base's, bit for bit.
NEUTRAL = {
    "ares": ("dapo", [f"{INF}.surrogate.high=0.28", f"{INF}.surrogate.dual=10"]),
    "aepo_branching": ("aepo_agentic", []),  # another rollout
    "avspo": ("grpo", []),
    "canon": ("dr_grpo", [f"{INF}.surrogate.high=0.2"]),
    "canon_dynamic": ("canon", []),
    "cure": ("dapo", []),  # another rollout
    "epo": ("grpo", [f"{INF}.penalties.epo.coef=0"]),
    "grpo": ("reinforce", [f"{INF}.surrogate.low=inf", f"{INF}.surrogate.high=inf"]),
    "grpo_viscous": ("grpo", []),
    "grpo_shrunk": ("grpo", []),
    "grpo_shrunk_cv": ("grpo", [f"{INF}.forces.control.beta=0"]),
    "ppo": ("grpo", [f"{INF}.reduce._target_=tvo_cli.objective.reduction.sequence_mean"]),
    "tvo": ("tvo_rec", [f"{INF}.forces.control.beta=0"]),
    "tvo_macro": ("tvo", [f"{INF}.surrogate.cap=5", f"{INF}.weight.delta=0.5"]),
    "tvo_micro": ("tvo", []),
    "tvo_2025": ("tvo", []),
    "tvo_first_order": ("tvo_2025", []),  # another optimiser
    "tvo_one_response": ("tvo_2025", []),  # other rollout sizes
    "tvo_fluctuation": ("tvo_2025", []),  # another set-point
    "tvo_overdamped": ("tvo_consistent", []),  # another set-point, optimiser and rollout sizes
    "grpo_overdamped": ("grpo_shrunk_cv_consistent", []),
    "tvo_sharpened": ("tvo_consistent", [f"{INF}.forces.tsallis.coef.first=0"]),
    "grpo_shrunk_cv_consistent": ("grpo_shrunk_cv", [f"{INF}.forces.control.beta=0"]),
    "grpo_shrunk_cv_first_order": ("grpo_shrunk_cv", []),
    "grpo_shrunk_cv_one_response": ("grpo_shrunk_cv", []),
    "grpo_shrunk_cv_sharpened": ("grpo_shrunk_cv_consistent", [f"{INF}.forces.tsallis.coef.first=0"]),
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
ACTS: dict[str, list[str]] = {"epo": [f"+{INF}.penalties.epo.total=1.2", f"+{INF}.penalties.epo.batches=1"]}
for found in sorted(Path(__file__).parent.glob("test_*.py")):
    if found.stem != Path(__file__).stem:
        module = importlib.import_module(f"{__package__}.{found.stem}")
        NEUTRAL |= getattr(module, "NEUTRAL", {})
        ACTS |= getattr(module, "ACTS", {})


@cache
def as_built(name: str, *overrides: str) -> Objective:
    """An objective as it was built, before any batch: only copied."""
    if not overrides:
        return checked(name).objective()
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
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.run.__name__)
def test_it_keeps_the_contract_of_own_algorithms(name: str, check: Check) -> None:
    """What `tvo check-algorithm` asks of a user's, asked of ours."""
    check.run(checked(name))


@cache
def checked(name: str) -> CheckedAlgorithm:
    return CheckedAlgorithm(composed(name).algorithm, composed(name, *acting(name)).algorithm)


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


@pytest.mark.slow
def test_a_statistic_of_a_micro_batch_alone_is_another_one(make_tokens: Callable[..., Tokens]) -> None:
    """What `reads.minibatch` is for: without the whole, the loss depends on the split, as in most released codes."""
    reading = [name for name in ALGORITHMS if objective(name).reads["minibatch"]]
    assert reading
    for name in reading:
        built = objective(name, *acting(name))
        tokens = replace(make_tokens(), share=built.reduce(make_tokens().mask).double(), seed=5)
        apart = sum(built(part).total for part in sample_in_micro_batches(tokens, whole=False))
        assert abs(float((apart - built(tokens).total).detach())) > 1e-6, name


def acting(name: str) -> list[str]:
    """Settings at which adaptive and rare pieces act on a small minibatch."""
    forces = composed(name).algorithm.objective.forces
    return ACTS.get(name, []) + ([f"{INF}.forces.control.beta=0.3"] if "control" in forces else [])


@pytest.mark.parametrize("name", by_speed(NEUTRAL))
def test_at_neutral_settings_it_is_its_base(name: str, make_tokens: Callable[..., Tokens]) -> None:
    base, overrides = NEUTRAL[name]
    ours, gradient = loss_and_gradient(name, make_tokens(), *overrides)
    theirs, expected = loss_and_gradient(base, make_tokens())
    torch.testing.assert_close(ours.total, theirs.total, rtol=0, atol=0)
    torch.testing.assert_close(gradient[0], expected[0], rtol=0, atol=0)


def test_every_algorithm_but_the_root_has_a_neutral_setting() -> None:
    assert set(NEUTRAL) | {"reinforce"} >= set(ALGORITHMS) >= COMBINED


@every_algorithm
def test_on_policy_every_algorithm_has_the_gradient_of_reinforce(name: str, make_tokens: Callable[..., Tokens]) -> None:
    """At D = 0 and at the same advantages, surrogates and mobilities are inert: only averaging may differ.

    A weight or a shape that is a statistic of the minibatch acts there too, and then it is all that differs.
    """
    reduce = composed(name).algorithm.objective.reduce
    averaging = [f"{INF}.reduce._target_=tvo_cli.objective.reduction.token_mean"]
    dropped = [f"~{INF}.reduce.{key}" for key in reduce if not str(key).startswith("_")]
    _, ours = loss_and_gradient(name, make_tokens(drift=0.0), *averaging, *dropped)
    _, plain = loss_and_gradient("reinforce", make_tokens(drift=0.0), *averaging)
    built = objective(name)
    tokens = make_tokens(drift=0.0)
    weight = built.weigh(tokens) * tokens.mask
    if not built.reads["minibatch"]:
        assert (weight == tokens.mask).all()
    credit = built.shape(tokens) / torch.where(tokens.mask, tokens.advantage, 1.0)
    torch.testing.assert_close(ours[0], weight * credit * plain[0], rtol=1e-12, atol=0)


def test_config_is_plain_data() -> None:
    assert OmegaConf.to_container(composed("tvo").algorithm, resolve=True)
