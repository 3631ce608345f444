"""The embedded model evaluated for real: neither batches, nor order, nor a stop change a completion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import config
from tvo_cli.experiment import evaluate

Completions = tuple[dict[str, Any], dict[tuple[str, str, int], str]]  # summary; text by problem, decoding and sample


def completions(folder: Path, *overrides: str) -> Completions:
    words = [f"output_dir={folder}", "evaluation.limit=12", "decoding.samples=3", "threads=1", *overrides]
    summary = evaluate(config.compose(words, "eval"), lambda step: None)
    rows = [json.loads(line) for line in (folder / "responses.jsonl").read_text().splitlines()]
    return summary, {(row["id"], row["decoding"], row["sample"]): row["completion"] for row in rows}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Completions:
    return completions(tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.slow
def test_batches_change_no_completion(whole: Completions, tmp_path: Path) -> None:
    assert completions(tmp_path / "run", "rollout.batch_size=4")[1] == whole[1]
    assert len(whole[1]) == 12 * 4
    assert len(set(whole[1].values())) > 20


@pytest.mark.slow
def test_order_and_resume_change_no_completion(whole: Completions, tmp_path: Path) -> None:
    ids = sorted({name for name, _, _ in whole[1]}, reverse=True)
    completions(tmp_path / "run", f"evaluation.ids={json.dumps(ids[:5])}")
    summary, found = completions(tmp_path / "run")
    assert found == whole[1]
    clock = {"seconds": 0, "tokens_per_second": 0}
    assert summary["suites"]["arithmetic"] | clock == whole[0]["suites"]["arithmetic"] | clock


def test_another_seed_changes_them(whole: Completions, tmp_path: Path) -> None:
    assert completions(tmp_path / "run", "evaluation.seed=1")[1].keys().isdisjoint(whole[1])


@pytest.mark.slow
def test_two_suites_make_one_run(tmp_path: Path) -> None:
    words = [f"output_dir={tmp_path / 'run'}", "evaluation=[arithmetic,jsonl]", "evaluation.limit=2", "threads=1"]
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": "1 + 2 =", "answer": "3"}\n')
    words += [f"path={path}", "protocol=plain", "evaluation.suites.jsonl.dataset.suffix=''", "protocol.max_tokens=4"]
    summary = evaluate(config.compose(words, "eval"), lambda step: None)
    assert {name: found["problems"] for name, found in summary["suites"].items()} == {"arithmetic": 2, "jsonl": 1}
