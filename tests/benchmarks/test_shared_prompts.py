"""The benchmark of shared prompts: both kinds by turns, and only what shares is measured as sharing."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from benchmarks.workload.tvo_shared_prompts import turns
from tests.rollout.full_fp32 import quick_anywhere as quick_anywhere
from tvo_cli.model import load_policy
from tvo_cli.model.forward_pass import shared_prefix
from tvo_cli.rollout.decoding.onednn import onednn_matmul

NODE = {"path": "packaged:tiny", "revision": None, "dtype": "float32", "attention": "sdpa"}


def measured(**changed: Any) -> list[dict[str, object]]:
    chosen = {"prompts": 2, "samples": 4, "prompt_tokens": 12, "response_tokens": 5, "pairs": 1, "only": None}
    policy = load_policy(NODE | {"gradient_checkpointing": True}, device="cpu")
    with onednn_matmul(policy.network):
        return list(turns(policy, argparse.Namespace(**(chosen | changed))))


def test_both_kinds_take_turns_and_agree(quick_anywhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_prefix, "LEAST", 0.0)
    warm_up, pair = measured()
    assert warm_up["warm_up"] and not pair["warm_up"] and {"shared", "plain", "ratio"} <= set(pair)
    assert float(str(pair["largest_difference"])) < 1e-5
    assert not {"plain", "ratio"} & set(measured(only="shared", pairs=0)[0])


def test_what_does_not_share_is_not_measured(quick_anywhere: None) -> None:
    with pytest.raises(SystemExit, match="not shared"):
        measured()
