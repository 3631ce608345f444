"""Which direction of a metric is better: known of ours, by the name of others, else assumed; always said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.comparison.conftest import column, made, table, write_run
from tvo_cli.comparison.analysis.metric_direction import (
    LESS_IS_BETTER,
    MORE_IS_BETTER,
    NEITHER_IS_BETTER,
    direction_of_metric,
)
from tvo_cli.errors import UserError
from tvo_cli.tracking.metric_names import METRICS

ALL = (*NEITHER_IS_BETTER, *LESS_IS_BETTER, *MORE_IS_BETTER)


def test_every_metric_of_ours_is_in_a_list() -> None:
    names = {metric.name for metric in METRICS}
    assert [name for name in names if not any(re.fullmatch(pattern, name) for pattern in ALL)] == []


@pytest.mark.parametrize(
    ("metric", "less", "why"),
    [
        ("eval/pass@1", False, "known"),
        ("eval/math500/pass@8", False, "known"),
        ("eval/math500/truncated", True, "known"),
        ("eval/loss", True, "known"),
        ("loss/policy", True, "known"),
        ("policy/kl_ref", True, "known"),
        ("gradient/variance", True, "known"),
        ("critic/explained_variance", False, "known"),
        ("reward/format", False, "known"),
        ("reward/format/failed", True, "known"),
        ("reward/std", False, "assumed"),
        ("policy/entropy", False, "assumed"),
        ("response/length", False, "assumed"),
        ("eval/math500/length", False, "assumed"),
        ("valLoss", True, "name"),
        ("val_perplexity", True, "name"),
        ("actor/kl_div", True, "name"),
        ("reward_variance", True, "name"),
        ("rewards/accuracy_reward/mean", False, "name"),
        ("test_f1", False, "name"),
        ("closeness", False, "assumed"),
    ],
)
def test_the_direction_of_a_metric(metric: str, less: bool, why: str) -> None:
    found = direction_of_metric(metric)
    assert (found.less, found.why) == (less, why)


def write_losses(root: Path, name: str = "eval_loss") -> Path:
    """Two arms at two rates: at 1e-5 a loss of 1.0, at 1e-3 of 3.0; the second arm's is 0.1 more."""
    for arm, more in (("grpo", 0.0), ("rloo", 0.1)):
        for lr, loss in ((1e-5, 1.0), (1e-3, 3.0)):
            for seed in range(3):
                folder = root / f"{arm}-{lr:g}-s{seed}"
                folder.mkdir(parents=True)
                rows = [{"step": step, name: loss + more + seed / 100 + 0.1 / step, "lr": lr} for step in (1, 2)]
                (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "mapping.yaml").write_text("path: '(?P<algorithm>[a-z]+)-(?P<lr>[0-9e.-]+)-s(?P<seed>[0-9]+)'\n")
    return root


def test_the_best_rate_of_a_loss_is_that_of_the_least(tmp_path: Path) -> None:
    runs = write_losses(tmp_path)
    document = made(runs, mapping=runs / "mapping.yaml", metric="eval/loss")
    assert column(table(document, "arms"), "rate") == ["1e-5", "1e-5"]
    assert column(table(document, "robustness"), "worst rate") == ["1e-3", "1e-3"]
    assert "Of eval/loss less is better." in document.notes
    assert (
        "Less is better." in table(document, "arms").note
        and "Best: the best evaluation: the lowest of noisy" in table(document, "arms").note
    )


def test_the_direction_can_be_said_and_an_assumed_one_is_a_warning(tmp_path: Path) -> None:
    runs = write_losses(tmp_path, "distance")
    assumed = made(runs, mapping=runs / "mapping.yaml", metric="distance")
    assert column(table(assumed, "arms"), "rate") == ["1e-3", "1e-3"]
    assert any(one.startswith("Whether more or less of distance is better") for one in assumed.sections[0].warnings)
    told = made(runs, mapping=runs / "mapping.yaml", metric="distance", direction="less")
    assert column(table(told, "arms"), "rate") == ["1e-5", "1e-5"]
    assert "Of distance less is taken for better, as --direction says." in told.notes
    with pytest.raises(UserError, match="--direction=up: not a choice"):
        made(runs, direction="up")


def test_of_the_usual_metric_nothing_is_said_but_in_the_table(tmp_path: Path) -> None:
    write_run(tmp_path, "tvo")
    document = made(tmp_path)
    assert not any("better" in one for one in (*document.notes, *document.sections[0].warnings))
    assert "More is better." in table(document, "arms").note
