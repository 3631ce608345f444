"""The contract: what must hold for each conf/algorithm/*.yaml, with no list of algorithms to keep."""

from __future__ import annotations

import copy
import importlib
import inspect
import re
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
from tvo_cli.experiment.contract.algorithm_contract import CHECKS, Check, estimator_that_remembers
from tvo_cli.experiment.contract.contract_samples import LEAVES, extreme_experiences, sample_in_micro_batches
from tvo_cli.experiment.contract.objective_contract import CheckedAlgorithm
from tvo_cli.objective import Objective
from tvo_cli.types import Loss, Tokens

from .conftest import composed

ALGORITHMS = config.choices_of_group("algorithm")
every_algorithm = pytest.mark.parametrize("name", ALGORITHMS)
INF, ESTIMATOR = "algorithm.objective", "algorithm.estimator"
SHAPINGS = ("reward_shaping", "advantage_shaping")
# The project's own, which have no paper of another's to name; tvo itself is a difference of nothing, as GRPO is.
OWN = ("tvo", "grpo_shrunk", "grpo_overdamped", "grpo_viscous")

# Settings at which an algorithm's advantage, loss and gradient must coincide with its base's, bit for bit. Empty: the
# recipe differs in rollout, set-point, step rule, optimiser or schedule, and in nothing of these. What those come to
# when they are switched off needs a run: training/test_neutral_runs.py, test_measured_steps.py, the tests of each part.
NEUTRAL = {
    "ares": (
        "dapo",
        [
            *(f"{INF}.surrogate.high=0.28", f"{INF}.surrogate.dual=10"),
            *(f"algorithm.reward_shaping.ares.{word}" for word in ("start=0", "rate=0")),
        ],
    ),
    "aepo_branching": ("aepo_agentic", []),  # another rollout
    "avspo": ("grpo", [f"{ESTIMATOR}.threshold=1", f"{ESTIMATOR}.rate=0", f"+{ESTIMATOR}.unbiased=true"]),
    "canon": ("dr_grpo", [f"{INF}.surrogate.high=0.2", f"{ESTIMATOR}.between=0.5"]),
    "canon_dynamic": ("canon", [f"{ESTIMATOR}.schedule=constant"]),
    "cure": ("dapo", []),  # another rollout
    "entropy_performance": (
        "dapo",
        ["algorithm.advantage_shaping.perplexity.alpha=0", "algorithm.advantage_shaping.position.gamma=0"],
    ),
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
# Another baseline, which no setting makes the base's: only loss and gradient are compared, at the same advantages.
OTHER_BASELINE = {
    *("dppo_kl", "dppo_tv", "dr_grpo", "grpo_shrunk", "grpo_shrunk_cv", "ppo", "reinforce_plus"),
    *("reinforce_plus_baseline", "rloo", "tvo", "tvo_rec"),
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
    about = config.parse_choice_comment(config.choice_comment("algorithm", name))
    assert len(about.what) > 20
    assert about.paper or name.startswith(OWN), "no paper"
    assert re.fullmatch(r"\w.* at: \w.*", about.changes) or name in ("grpo", "tvo"), "what it changes of which recipe"
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


@pytest.mark.parametrize("name", NEUTRAL)
def test_at_neutral_settings_it_is_its_base(name: str, make_tokens: Callable[..., Tokens]) -> None:
    base, overrides = NEUTRAL[name]
    ours, gradient = loss_and_gradient(name, make_tokens(), *overrides)
    theirs, expected = loss_and_gradient(base, make_tokens())
    torch.testing.assert_close(ours.total, theirs.total, rtol=0, atol=0)
    torch.testing.assert_close(gradient[0], expected[0], rtol=0, atol=0)


def advantages(name: str, *overrides: str) -> dict[str, tuple[float, Tensor, Tensor]]:
    """κ, Â and the tokens that count, by case of the contract, where the algorithm acts and has seen a few batches."""
    made, found = estimator_that_remembers(composed(name, *acting(name), *overrides).algorithm), {}
    for case, experience in extreme_experiences():
        one = copy.deepcopy(made)(experience)
        found[case] = one.scale, one.values, experience.mask if one.counted is None else one.counted
    return found


def differing_cases(ours: dict[str, Any], theirs: dict[str, Any]) -> set[str]:
    """The cases in which two algorithms' advantages differ in a bit."""
    equal = {case: all(map(torch.equal, ours[case][1:], theirs[case][1:])) for case in ours}
    return {case for case in ours if not equal[case] or ours[case][0] != theirs[case][0]}


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_at_neutral_settings_its_advantage_is_its_bases(name: str) -> None:
    """SCOPE's neutral setting samples no rows besides; PEAR's makes a right response's reward 1, whatever it was."""
    base, overrides = NEUTRAL[name]
    unlike = {"scope": {"rows beside the batch"}, "pear": {"equal rewards"}}.get(name, set())
    found = differing_cases(advantages(name, *overrides), advantages(base)) - unlike
    assert bool(found) is (name in OTHER_BASELINE), found


def test_what_changes_rewards_or_advantages_acts_on_the_contracts_batches() -> None:
    """Otherwise the contract would say nothing of it."""
    shaping = {name for name in ALGORITHMS if any(composed(name).algorithm.get(key) for key in SHAPINGS)}
    switched = {name for name, (_, words) in NEUTRAL.items() if any(ESTIMATOR in word for word in words)}
    assert {"scope", "clip_b", "clip_v", "recap", "recap_next_token"} <= shaping and {"avspo", "canon"} <= switched
    idle = {name for name in shaping | switched if not differing_cases(advantages(name), bare_advantages(name))}
    assert idle == set()


def bare_advantages(name: str) -> dict[str, Any]:
    """Those of an algorithm without its shapings, or, where it has none, at its neutral settings."""
    shaped = [f"~algorithm.{key}" for key in SHAPINGS if composed(name).algorithm.get(key)]
    return advantages(name, *(shaped or NEUTRAL[name][1]))


def test_every_algorithm_but_the_root_has_a_neutral_setting() -> None:
    assert set(NEUTRAL) | {"reinforce"} >= set(ALGORITHMS)


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
