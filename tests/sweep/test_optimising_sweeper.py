"""What the end of a search says: which settings won, by what value, and where."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tvo_cli.sweep import optimising_sweeper
from tvo_cli.sweep.sweep_index import SweepIndex, SweepJob

OPTUNA = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    index = SweepIndex(tmp_path)
    for number, rate in enumerate(("0.001", "0.003")):
        job = SweepJob(f"print{number}", f"lr-{rate}", [f"optimizer.lr={rate}", "seed=1", "logger=none"], "tvo train")
        index.add(job)
    index.save()
    return tmp_path


def test_the_winner_is_named_with_its_value_and_its_folder(folder: Path) -> None:
    (folder / optimising_sweeper.RESULTS).write_text(
        "name: optuna\nbest_params: {optimizer.lr: 0.003}\nbest_value: 0.56251\n"
    )
    assert optimising_sweeper.optimiser_best_job_lines(folder, Path("s"), "eval/pass@1") == [
        "best: eval/pass@1 = 0.5625 with optimizer.lr=0.003, in s/lr-0.003",
        "All of the search is in s/optimization_results.yaml",
    ]


def test_other_shapes_of_a_result(folder: Path) -> None:
    results = folder / optimising_sweeper.RESULTS
    results.write_text("solutions:\n- {params: {seed: 1}, values: [1, 2]}\n- {params: {seed: 2}, values: [2, 1]}\n")
    assert optimising_sweeper.optimiser_best_job_lines(folder, Path("s"), None)[:2] == [
        "best: value = [1, 2] with seed=1, in s/lr-0.003",
        "best: value = [2, 1] with seed=2",
    ]
    results.write_text("name: nevergrad\nbest_evaluated_params: {seed: 2}\nbest_evaluated_result: 1.5\n")
    assert optimising_sweeper.optimiser_best_job_lines(folder, Path("s"), "x")[0] == "best: x = 1.5 with seed=2"
    results.write_text("name: another\n")
    assert optimising_sweeper.optimiser_best_job_lines(folder, Path("s"), "x") == []
    results.unlink()
    assert optimising_sweeper.optimiser_best_job_lines(folder, Path("s"), "x") == []


def test_only_an_optimising_sweeper_searches_and_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert optimising_sweeper.is_optimising_sweeper(OmegaConf.create({"_target_": OPTUNA}))
    assert not optimising_sweeper.is_optimising_sweeper(OmegaConf.create({"_target_": BASIC}))
    log = logging.getLogger("optuna")
    try:
        optimising_sweeper.silence_optuna(OmegaConf.create({"_target_": OPTUNA}))
        logging.getLogger("optuna.study").info("A new study created")
        logging.getLogger("optuna.study").warning("a trial failed")
        assert [record.message for record in caplog.records] == ["a trial failed"]
    finally:
        log.setLevel(logging.NOTSET)
