"""Every yaml of every group composes and passes the checks; every experiment that fits here runs a step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slow_cases import mostly_slow
from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.evaluation.suite import suite_names

GROUPS = ("model", "dataset", "rollout", "reward", "optimizer", "trainer", "stability", "evaluation", "logger")
SUITES = suite_names()
EVALUATING = {*(("evaluation", name) for name in SUITES), ("rollout", "vllm")}  # choices of `tvo eval`
OF_OWN_CODE = {("dataset", "own")}  # tests/plugins composes it, with a file of code
CHOICES = {
    g: [name for name in config.choices_of_group(g) if (g, name) not in EVALUATING | OF_OWN_CODE]
    for g in (*GROUPS, "experiment")
}
NEEDED = {
    ("model", "custom"): ["model.path=x"],
    ("rollout", "large"): ["dataset.max_tokens=64"],
    ("dataset", "jsonl"): ["dataset.path=x.jsonl"],
    ("dataset", "hub"): ["dataset.id=owner/name"],
    ("reward", "by_hypervolume"): ["evaluation.every=20", "evaluation.problems=64"],
}
ROWS = range(max(len(CHOICES[group]) for group in GROUPS))
SLOW = ("addition", "none", "shared_rate", "sparse")
OPTIMIZERS = config.choices_of_group("optimizer")
PROTOCOLS = config.choices_of_group("protocol")
FAST_PRESETS = ("addition", "math_7b", "quick", "real_model", "second_edition_refuse", "zoo_real")
FAST_OF_EVALUATION = [("evaluation", "heldout"), ("evaluation", "math500"), ("protocol", "entropy_adaptive")]
FAST_OF_EVALUATION += [("protocol", "plain"), ("protocol", "model")]
EMBEDDED = ["quick", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


def assert_sound(*chosen: tuple[str, str]) -> None:
    """Together they compose, resolve and pass the checks, and each says what it is."""
    words = [word for one in chosen for word in (f"{one[0]}={one[1]}", *NEEDED.get(one, ()))]
    composed = config.compose([*words, "output_dir=x"])
    check_across_keys(composed)
    assert config.resolved_tree(composed)["output_dir"] == "x"
    for group, name in chosen:
        assert len(config.choice_comment(group, name)) > 10, (group, name)


@pytest.mark.parametrize("row", ROWS)
def test_every_choice_composes_resolves_and_passes_the_checks(row: int) -> None:
    """One choice of each group at a time, until each has had its turn; algorithms have a contract of their own."""
    assert_sound(*((group, CHOICES[group][row % len(CHOICES[group])]) for group in GROUPS))


@pytest.mark.parametrize("name", mostly_slow(CHOICES["experiment"], FAST_PRESETS))
def test_every_experiment_composes_resolves_and_passes_the_checks(name: str) -> None:
    assert_sound(("experiment", name))


@pytest.mark.slow
@pytest.mark.parametrize(("group", "name"), [(group, name) for group in GROUPS for name in CHOICES[group]])
def test_every_choice_is_sound_by_itself(group: str, name: str) -> None:
    assert_sound((group, name))


@pytest.mark.parametrize(
    ("group", "name"),
    mostly_slow([*(("evaluation", n) for n in SUITES), *(("protocol", n) for n in PROTOCOLS)], FAST_OF_EVALUATION),
)
def test_every_suite_and_protocol_of_tvo_eval_says_what_it_is(group: str, name: str) -> None:
    value = f"[{name}]" if group == "evaluation" else name
    assert config.resolved_tree(config.compose([f"{group}={value}", "path=x"], "eval"))["evaluation"]["suites"]
    assert len(config.choice_comment(group, name)) > 10


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_more_than_one_choice(group: str) -> None:
    assert len(config.choices_of_group(group)) > 1


@pytest.mark.parametrize(
    "name", mostly_slow(config.choices_of_group("optimizer"), ("adamw", "adamw_stable_decay", "lion"))
)
def test_every_optimiser_and_schedule_builds(name: str) -> None:
    import torch

    if name == "adamw_8bit":
        pytest.importorskip("bitsandbytes")
    node = config.compose([f"optimizer={name}", "output_dir=x"]).optimizer
    optimizer = config.build(node.make)([torch.nn.Parameter(torch.ones(2))], lr=float(node.lr))
    assert optimizer.param_groups[0]["lr"] > 0
    assert config.build(node.schedule)(0, 10) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDED)
def test_every_embedded_experiment_runs_a_step(name: str, tmp_path: Path) -> None:
    from tvo_cli.experiment import train

    small = ("trainer.steps=1", "rollout.prompts=4", "rollout.minibatches=2", "rollout.epochs=1", "trainer.threads=1")
    quiet = ("logger=none", "logger.console=off", "evaluation.problems=8", "evaluation.samples=2")
    summary = train(config.compose([f"experiment={name}", f"output_dir={tmp_path / 'run'}", *small, *quiet]))
    assert summary["steps"] == 1
    assert 0.0 <= summary["evaluation"]["eval/pass@1"] <= 1.0
