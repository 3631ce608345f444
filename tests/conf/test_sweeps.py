"""Presets that are sweeps: how many jobs, which, and that the real command line expands them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from tvo_cli import config
from tvo_cli.cli.dry_run import dry_run_jobs
from tvo_cli.cli.launch import launch
from tvo_cli.config.cross_key_checks import check_across_keys

RATES = {5e-5, 1e-4, 3e-4, 1e-3}
BESIDE = {  # ablations, combinations and schedules, which are no rivals of their own
    *("grpo_shrunk", "grpo_shrunk_cv", "grpo_viscous", "kl_cov_early_stop", "siren_viscous"),
    *("tvo_consistent", "tvo_cosine", "tvo_macro", "tvo_micro", "tvo_rec", "tvo_river_valley"),
}


@cache
def jobs(preset: str) -> list[dict[str, str]]:
    """Every job's overrides, as Hydra's own sweeper makes them of hydra.sweeper.params."""
    config.register_resolvers()
    with initialize_config_dir(str(config.conf_dir()), version_base="1.3"):
        node = compose("train", overrides=[f"experiment={preset}"], return_hydra_config=True).hydra.sweeper.params
    found = dry_run_jobs([f"{key}={value}" for key, value in node.items()])
    return [dict(word.split("=", 1) for word in job) for job in found]


@pytest.mark.parametrize(
    ("preset", "count", "seeds"),
    [
        *(("rivals_small", 480, 5), ("rivals_small_four_passes", 480, 5)),
        *(("rivals_small_epochs", 120, 5), ("stability_small", 200, 10)),
    ],
)
def test_a_preset_expands_to_its_jobs(preset: str, count: int, seeds: int) -> None:
    found = jobs(preset)
    assert len(found) == count == len({tuple(sorted(job.items())) for job in found})
    assert {float(job["optimizer.lr"]) for job in found} == RATES
    assert {job["seed"] for job in found} == {str(seed) for seed in range(seeds)}
    assert f"{count} jobs" in config.choice_comment("experiment", preset)


def test_the_rivals_exist_and_are_no_ablations_or_combinations() -> None:
    rivals = {job["algorithm"] for job in jobs("rivals_small")}
    assert rivals <= set(config.choices_of_group("algorithm")) - BESIDE and len(rivals) == 24
    assert {"tvo_2025", "ppo", "grpo", "reinforce", "dapo", "steer", "siren", "kl_cov", "grpo_kl_adaptive"} <= rivals
    epochs = Counter((job["algorithm"], job["rollout.epochs"]) for job in jobs("rivals_small_epochs"))
    assert epochs == {(name, e): 20 for name in ("grpo", "reinforce", "tvo_2025") for e in ("1", "2")}
    assert {job["algorithm"] for job in jobs("stability_small")} == {
        "tvo_2025",
        "ppo",
        "grpo",
        "grpo_viscous",
        "reinforce",
    }


@pytest.mark.parametrize("preset", ["rivals_small", "rivals_small_four_passes"])
def test_every_rival_composes_with_the_preset_and_keeps_what_the_sweep_says(preset: str) -> None:
    rivals = sorted({job["algorithm"] for job in jobs(preset)})
    for name in (rivals[0], "tvo_2025"):  # that each algorithm composes, its contract shows
        chosen = config.compose([f"experiment={preset}", f"algorithm={name}", "optimizer.lr=1e-3", "output_dir=x"])
        check_across_keys(chosen)
        assert (chosen.algorithm.name, chosen.optimizer.lr, chosen.experiment_name) == (name, 1e-3, preset)


@pytest.mark.slow
def test_the_command_line_expands_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through @hydra.main, with a task that only looks; what the command line fixes is no longer swept."""
    seen: list[tuple[str, float, int, int]] = []

    def look(chosen: Any) -> None:
        seen.append((chosen.algorithm.name, chosen.optimizer.lr, chosen.seed, chosen.rollout.epochs))

    words = ["-m", "experiment=rivals_small", "algorithm=grpo,siren", "optimizer.lr=1e-4", "hydra/launcher=basic"]
    words.append("seed=3,4")
    words.append(f"output_dir={tmp_path}/s")
    assert launch(look, "train", words, program="tvo train") == 0
    assert seen == [(name, 1e-4, seed, 1) for name in ("grpo", "siren") for seed in (3, 4)]
