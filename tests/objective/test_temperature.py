"""The temperature of F = U − T·S: both forms by enumeration of all actions, and its thermostat by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.objective.test_consistency import LOGITS, every_action, expected_gradient, objective_of
from tvo_cli.objective import Temperature
from tvo_cli.objective.coefficient import Constant, EntropyThermostat

SCALE, TEMPERATURE = 2.0, 0.3


def on_policy(logits: Tensor) -> dict[str, Tensor]:
    """Each action as often as the policy draws it, and its old log-probability."""
    log_pi = logits.detach().log_softmax(-1)[:, None]
    return {"old_logp": log_pi, "share": log_pi.exp()}


def entropy_gradient() -> Tensor:
    """∇H by the logits: −π(log π + H)."""
    log_pi = LOGITS.log_softmax(-1)
    entropy = -(log_pi.exp() * log_pi).sum()
    return -log_pi.exp() * (log_pi + entropy)


@pytest.mark.parametrize("form", ["sampled", "exact"])
def test_either_form_is_in_expectation_the_temperature_times_the_gradient_of_entropy(form: str) -> None:
    """F falls by T·∇H besides: of a loss −κT∇H, on-policy."""
    plain = objective_of("algorithm=grpo")
    warm = replace(plain, forces={"temperature": Temperature(Constant(TEMPERATURE), form)})
    given = on_policy(LOGITS)
    found = expected_gradient(warm, **given) - expected_gradient(plain, **given)
    torch.testing.assert_close(found, -SCALE * TEMPERATURE * entropy_gradient(), rtol=0, atol=1e-12)


def test_what_the_sampled_form_subtracts_is_in_units_of_the_advantage() -> None:
    tokens = every_action(LOGITS.clone(), scale=SCALE)
    found = Temperature(Constant(TEMPERATURE), "sampled").sampled(tokens)
    torch.testing.assert_close(found, SCALE * TEMPERATURE * (tokens.logp + tokens.entropy), rtol=1e-12, atol=0)


def test_the_thermostat_by_hand() -> None:
    """T ← clip(T + r(0.9·H₀ − H)/H₀, 0, T_max): warmer below nine tenths of the first entropy, colder above."""
    thermostat, seen = EntropyThermostat(value=0.0, rate=0.02, share=0.9, low=0.0, high=0.015), []
    for entropy in (2.0, 1.0, 0.6, 1.0, 1.9, 2.0, 2.0, 2.0):
        thermostat.update(entropy)
        seen.append(thermostat.value)
    assert seen == pytest.approx([0.0, 0.008, 0.015, 0.015, 0.014, 0.012, 0.010, 0.008])
    restored = EntropyThermostat(value=0.0, rate=0.02, share=0.9, low=0.0, high=0.015)
    restored.load_state_dict(thermostat.state_dict())
    for one in (thermostat, restored):
        one.update(1.0)
    assert restored.value == thermostat.value == pytest.approx(0.015)
