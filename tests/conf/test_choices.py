"""Every yaml of every group composes and passes the checks; every experiment that fits here runs a step."""

import pytest

from tvo_cli import config
from tvo_cli.check import check
from tvo_cli.evaluation.suite import suite_names

GROUPS = ("model", "dataset", "rollout", "reward", "optimizer", "trainer", "stability", "evaluation", "logger")
SUITES = suite_names()
CHOICES = [
    (group, name)
    for group in (*GROUPS, "algorithm", "experiment")
    for name in config.names(group)
    if not (group == "evaluation" and name in SUITES) and (group, name) != ("rollout", "vllm")  # those of `tvo eval`
]
NEEDED = {("model", "custom"): ["model.path=x"], ("rollout", "large"): ["dataset.max_tokens=64"]}
EMBEDDED = ["none", "quick", "shared_rate", "addition", "sparse"]


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_choice_composes_resolves_and_passes_the_checks(group, name):
    given = [f"{group}={name}", "output_dir=x", *NEEDED.get((group, name), ())]
    if (group, name) == ("dataset", "jsonl"):
        given.append("dataset.path=x.jsonl")
    if (group, name) == ("dataset", "hub"):
        given.append("dataset.id=owner/name")
    composed = config.compose(given)
    check(composed)
    assert config.plain(composed)["output_dir"] == "x"
    assert len(config.about(group, name)) > 10


@pytest.mark.parametrize(
    ("group", "name"), [("evaluation", name) for name in SUITES] + [("protocol", n) for n in config.names("protocol")]
)
def test_every_suite_and_protocol_of_tvo_eval_says_what_it_is(group, name):
    value = f"[{name}]" if group == "evaluation" else name
    assert config.plain(config.compose([f"{group}={value}", "path=x"], "eval"))["evaluation"]["suites"]
    assert len(config.about(group, name)) > 10


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_more_than_one_choice(group):
    assert len(config.names(group)) > 1


@pytest.mark.parametrize("name", config.names("optimizer"))
def test_every_optimiser_and_schedule_builds(name):
    import torch

    node = config.compose([f"optimizer={name}", "output_dir=x"]).optimizer
    optimizer = config.build(node.make)([torch.nn.Parameter(torch.ones(2))], lr=float(node.lr))
    assert optimizer.param_groups[0]["lr"] > 0
    assert config.build(node.schedule)(0, 10) > 0


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_embedded_experiment_runs_a_step(name, tmp_path):
    from tvo_cli.experiment import train

    small = ("trainer.steps=1", "rollout.prompts=4", "rollout.minibatches=2", "rollout.epochs=1", "trainer.threads=1")
    quiet = ("logger=none", "logger.console=off", "evaluation.problems=8", "evaluation.samples=2")
    summary = train(config.compose([f"experiment={name}", f"output_dir={tmp_path / 'run'}", *small, *quiet]))
    assert summary["steps"] == 1
    assert 0.0 <= summary["evaluation"]["eval/pass@1"] <= 1.0
