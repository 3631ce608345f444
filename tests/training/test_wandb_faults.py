"""W&B in any state leaves a run alone and gets no step twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from safetensors.torch import load_file

from tests.training.conftest import MetricRows, Runs, Whole
from tests.training.test_faults import QUICK
from tvo_cli.checkpoint import tensor_fingerprint


class Service:
    """Weights & Biases as its package shows it: the steps and run ids that reached it, and when it shall break."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.ids: list[str] = []
        self.breaks_at: int | str | None = None

    def init(self, **named: Any) -> ServiceRun:
        if named["mode"] == "online" and self.breaks_at == "start":
            raise TimeoutError("unreachable")
        self.ids.append(named["id"])
        return ServiceRun(self)


class ServiceRun:
    """A run of the service."""

    offline = disabled = False

    def __init__(self, service: Service) -> None:
        self.service = service
        self.summary: dict[str, object] = {}
        self.starting_step = max(service.rows, default=-1) + 1

    def log(self, row: dict[str, object], step: int) -> None:
        if step == self.service.breaks_at:
            raise ConnectionError("the service was killed")
        if not {"completions", "figure"} & set(row):  # which are added to a step that is there
            self.service.rows.append(step)

    def define_metric(self, *args: object, **named: object) -> None: ...

    def finish(self, exit_code: int) -> None: ...


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """A stand-in for the wandb package's runs."""
    import wandb

    made = Service()
    monkeypatch.setattr(wandb, "init", made.init)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*(pytest.param(n, marks=pytest.mark.slow) for n in (None, 2)), "start"])
def test_wandb_in_any_state_leaves_training_alone_and_gets_no_step_twice(
    run: Runs,
    whole: Whole,
    pulled: Callable[..., None],
    steps: MetricRows,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    fault: str | int | None,
) -> None:
    """Compared with no logger at all: the same metrics and the same weights, killed half-way and gone on with."""
    mode = "auto" if fault == "start" else "offline"
    monkeypatch.setenv("WANDB_MODE", "online" if fault == "start" else "offline")
    plain = whole(*QUICK, "trainer.steps=4", "trainer.checkpoint_every=2")
    service.breaks_at = fault
    words = (*QUICK, "trainer.steps=4", "trainer.checkpoint_every=2", "logger=wandb", f"logger.mode={mode}")
    pulled("mirrored", *words, "logger.console=off", after=3)
    (run.root / "mirrored" / "wandb_id.txt").unlink()
    folder = run("mirrored", *words, "logger.console=off")
    assert steps(folder) == steps(plain)
    policies = [load_file(one / "checkpoints" / "step-000004" / "optimizer.safetensors") for one in (folder, plain)]
    assert tensor_fingerprint.tensor_fingerprint(policies[0]) == tensor_fingerprint.tensor_fingerprint(policies[1])
    assert len(service.rows) == len(set(service.rows))
    assert len(set(service.ids)) == 1, "the run id came back from the checkpoint"
    if fault != 2:
        assert service.rows == [1, 2, 3, 4]
