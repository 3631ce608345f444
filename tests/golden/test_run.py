"""Results do not move: a small run against numbers kept from the code before its fast pieces, and fast against slow.

golden.json was written by commit d98f2e6, before shared prompts, tiles, oneDNN products and the padded KV cache, with

    python -m tests.golden.test_run golden.json
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from tvo_cli import config, experiment
from tvo_cli.experiment import build_session
from tvo_cli.model.forward_pass import sequence_packing, shared_prefix, tiled_logprobs
from tvo_cli.optim import fused_kernel

RUN = (
    *("logger=none", "logger.console=off", "evaluation=off", "trainer.threads=1", "trainer.checkpoint_every=0"),
    *("rollout.prompts=8", "rollout.samples=4", "rollout.epochs=2", "rollout.minibatches=2", "trainer.steps=3"),
)
READ = (
    "reward/mean",
    "policy/entropy",
    "policy/tv",
    "gradient/norm",
    "gradient/variance",
    "loss/policy",
    "response/length",
)
FORCING = (  # thresholds at which every fast piece is worth its while on the smallest model
    (shared_prefix, "LEAST", 0.0),
    (shared_prefix, "SHARE", 0.0),
    (shared_prefix, "FINE", shared_prefix.PrefixSplit(4, 1, 0.8)),
    (fused_kernel, "LEAST", 1),
    (build_session, "LARGE", 0),
    (tiled_logprobs, "WIDE", 1),
    (tiled_logprobs, "COLUMNS", 17),
    (tiled_logprobs, "ROWS", 5),
)
KEPT = Path(__file__).parent / "golden.json"


def go(folder: Path, *words: str) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """The readings of every step, and the weights at the end."""
    experiment.train(config.compose([*RUN, *words, f"output_dir={folder}"]))
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (place,) = (folder / "checkpoints").glob("step-*/policy/model.safetensors")
    return [{name: row[name] for name in READ} for row in rows], load_file(place)


RECIPES = ("tvo_2025", "grpo")  # the first was `tvo` then


@pytest.mark.parametrize("algorithm", [RECIPES[0], pytest.param(RECIPES[1], marks=pytest.mark.slow)])
def test_a_run_gives_the_numbers_it_gave_before_the_fast_pieces(algorithm: str, tmp_path: Path) -> None:
    """Within 1e-4 of each: another CPU rounds differently, and three steps amplify that a little."""
    found, _ = go(tmp_path / "run", f"algorithm={algorithm}")
    kept = json.loads(KEPT.read_text())[algorithm]
    for mine, theirs in zip(found, kept, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-6)


def note_calls(called: set[str], module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a function's name down each time it is called."""
    function = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *a, **k: (called.add(name), function(*a, **k))[1])


@pytest.mark.slow
def test_every_fast_piece_at_once_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them forced upon a model that is too small for them, against none: fp32 rounding is all that differs.

    AdamW divides a gradient that is nothing but rounding by its own size, so single weights may move by a part of a
    step (lr 1e-3, 8 steps); on average they stay where they were. The loss is a difference of larger numbers.
    """
    slow, weights = go(tmp_path / "slow", "trainer.matmul=default", "trainer.microbatch_tokens=0", "trainer.steps=2")
    for module, constant, value in FORCING:
        monkeypatch.setattr(module, constant, value)
    called: set[str] = set()
    note_calls(called, shared_prefix, "shared_prefix_states", monkeypatch)
    note_calls(called, tiled_logprobs, "tiled_token_scores", monkeypatch)
    fast, moved = go(tmp_path / "fast", "trainer.microbatch_tokens=96", "trainer.steps=2")
    assert called == {"shared_prefix_states", "tiled_token_scores"}
    for mine, theirs in zip(fast, slow, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-4)
    for name, before in weights.items():
        gap = (moved[name] - before).abs()
        assert float(gap.mean()) < 1e-6 and float(gap.max()) < 2e-4, name


@pytest.mark.slow
def test_recomputed_layers_of_shared_prompts_move_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several micro-batches, a prompt each, the variance reading between, against kept layers, nothing shared."""
    few = ("trainer.microbatch_tokens=128", "trainer.steps=1", "rollout.prompts=4", "rollout.epochs=1")
    for module, constant, value in FORCING:
        monkeypatch.setattr(module, constant, value)
    called: set[str] = set()
    note_calls(called, sequence_packing, "packed_predicting_states", monkeypatch)
    shared, moved = go(tmp_path / "shared", *few, "model.gradient_checkpointing=true")
    assert called == {"packed_predicting_states"}
    monkeypatch.setattr(shared_prefix, "is_worth_sharing", lambda *_: False)
    plain, weights = go(tmp_path / "plain", *few)
    assert shared[0] == pytest.approx(plain[0], rel=1e-4, abs=1e-4)
    for name, before in weights.items():
        gap = (moved[name] - before).abs()
        assert float(gap.mean()) < 1e-6 and float(gap.max()) < 2e-4, name


def test_how_a_run_is_computed_is_no_part_of_its_fingerprint() -> None:
    """Sweeps that were finished before stay finished, and a run that was begun before may go on."""

    def prints(*words: str) -> str:
        return config.config_fingerprint(config.compose([*words, "output_dir=x", "run_name=y"]))

    assert prints() == prints("trainer.matmul=default", "trainer.microbatch_tokens=512")
    assert prints() != prints("trainer.microbatch_rows=8")
    assert prints() != prints("trainer.variance_parts=4")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        told = {name: go(Path(place) / name, f"algorithm={name}")[0] for name in RECIPES}
    Path(sys.argv[1]).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
