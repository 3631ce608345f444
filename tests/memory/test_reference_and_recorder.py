"""The reference and the flight recorder's copies: there where something needs them or they are small."""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import torch

from tvo_cli import config
from tvo_cli.memory import reference_and_recorder
from tvo_cli.memory.optimizer_state_size import measured_optimizer_bytes, optimizer_bytes_per_parameter
from tvo_cli.objective import penalty_terms
from tvo_cli.objective.coefficient import Constant, EntropyTarget
from tvo_cli.objective.token_function import does_read_reference

LARGE = {"required": False, "copy_bytes": 540e6}
KL = "algorithm.objective.penalties.kl"


def needs(*words: str) -> bool:
    chosen = config.compose([*words, "output_dir=x"])
    objective, estimator = (config.build(chosen.algorithm[name]) for name in ("objective", "estimator"))
    return bool(objective.needs_reference or estimator.needs_reference)


def readers(*words: str) -> list[str]:
    return reference_and_recorder.readers_of_reference(config.compose([*words, "output_dir=x"]))


def test_auto_keeps_a_reference_where_it_is_small_or_something_needs_it() -> None:
    choose = reference_and_recorder.choose_reference
    assert choose("auto", required=False, copy_bytes=4e5).kept
    assert choose("auto", required=True, copy_bytes=3e10).kept
    assert choose("auto", named=["mine"], **LARGE).kept  # type: ignore[arg-type]
    left_out = choose("auto", **LARGE)  # type: ignore[arg-type]
    assert not left_out.kept and "540.0 MB; stability.reference=true" in left_out.reason


def test_beside_an_adapter_the_base_counts_that_is_read_again_over_every_batch() -> None:
    choose = partial(reference_and_recorder.choose_reference, copy_bytes=0.0)
    left_out = choose("auto", required=False, network_bytes=540e6)
    assert not left_out.kept and "takes a forward of 540.0 MB of weights over every batch" in left_out.reason
    small = choose("auto", required=False, network_bytes=4e5)
    assert small.kept and "0 bytes for policy/kl_ref" in small.reason
    assert (
        choose("auto", required=True, network_bytes=5e9).kept and choose(True, required=False, network_bytes=5e9).kept
    )


def test_what_is_asked_for_is_done_whatever_the_size() -> None:
    choose = reference_and_recorder.choose_reference
    assert choose(True, **LARGE).kept and not choose(False, required=False, copy_bytes=1.0).kept  # type: ignore[arg-type]
    assert choose(False, required=True, copy_bytes=1e12).kept, "a loss that needs it has it"


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (("algorithm=tvo",), False),
        (("algorithm=grpo",), False),
        (("algorithm=ppo",), False),
        (("algorithm=grpo", f"{KL}.coef.value=0.01"), True),
        (("algorithm=reinforce_plus_baseline", f"{KL}.coef.value=0.01"), True),
        (("algorithm=ppo", "algorithm.estimator.kl_coef=0.02"), True),
        (("algorithm=rloo", "algorithm.estimator.kl_coef=0.03"), True),
    ],
)
def test_an_algorithm_needs_it_where_a_kl_term_acts(words: tuple[str, ...], needed: bool) -> None:
    assert needs(*words) is needed


def test_a_kl_term_of_any_name_counts_and_a_coefficient_that_can_grow() -> None:
    term = "{_target_: tvo_cli.objective.penalty_terms.reference_kl, _partial_: true}"
    kept = "{_target_: tvo_cli.objective.penalty.Penalty, term: %s, coef: %s}"
    for coef, needed in (
        ("{_target_: tvo_cli.objective.coefficient.Constant, value: 0.1}", True),
        ("{_target_: tvo_cli.objective.coefficient.Constant, value: 0.0}", False),
    ):
        assert needs("algorithm=tvo", f"+algorithm.objective.penalties.mine={kept % (term, coef)}") is needed
    assert EntropyTarget(0.0, None, rate=0.1, low=0.0, high=1.0).can_act
    assert not EntropyTarget(0.0, None, rate=0.1, low=0.0, high=0.0).can_act
    assert not EntropyTarget(0.0, None, rate=0.0, low=0.0, high=1.0).can_act and not Constant(0.0).can_act


def test_every_term_that_reads_the_reference_is_marked() -> None:
    functions = inspect.getmembers(penalty_terms, inspect.isfunction)
    own = {name: f for name, f in functions if f.__module__ == penalty_terms.__name__}
    reading = {name for name, f in own.items() if "tokens.ref_logp" in inspect.getsource(f)}
    assert reading == {name for name, f in own.items() if does_read_reference(f)} == {"reference_kl", "reference_kl_k2"}
    assert does_read_reference(partial(penalty_terms.reference_kl))


def test_a_rule_of_the_users_own_is_a_reader_and_a_presets_is_none() -> None:
    assert readers() == readers("stability=act") == readers("stability=strict") == readers("stability=off") == []
    assert readers("stability.rules.kl_ceiling.limit=0.5") == ["kl_ceiling"]
    assert readers("stability=off", "sweep_objective=policy/kl_ref") == ["sweep_objective=policy/kl_ref"]


def test_an_optimiser_is_asked_what_it_keeps() -> None:
    momentum = partial(torch.optim.SGD, momentum=0.9)
    for make in (torch.optim.AdamW, partial(torch.optim.AdamW, amsgrad=True), torch.optim.SGD, momentum):
        for dtype in (torch.float32, torch.bfloat16):
            assert optimizer_bytes_per_parameter(make, dtype) == measured_optimizer_bytes(make, dtype)
    assert optimizer_bytes_per_parameter(torch.optim.Adamax, torch.float32) == 8, "asked of the optimiser itself"
    assert optimizer_bytes_per_parameter(torch.optim.AdamW, torch.float32) == 8
    assert optimizer_bytes_per_parameter(torch.optim.AdamW, torch.bfloat16) == 4
    assert optimizer_bytes_per_parameter(torch.optim.SGD, torch.float32) == 0
    assert optimizer_bytes_per_parameter(momentum, torch.float32) == 4


def test_the_fingerprint_of_a_run_before_auto_is_the_same() -> None:
    chosen = config.compose(["output_dir=x"])
    before = config.config_fingerprint(chosen)
    chosen.stability.reference = True
    assert config.config_fingerprint(chosen) == before
