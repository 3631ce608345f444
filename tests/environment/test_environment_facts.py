"""`tvo env`: each path's own probe is asked, no key is told, one screen; the same facts in versions.json."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest
import torch

from tvo_cli import environment
from tvo_cli.cli import env
from tvo_cli.cli.main import main
from tvo_cli.environment import fast_paths, machine, services
from tvo_cli.model import load_policy
from tvo_cli.model.forward_pass import packed_attention_kernels, sequence_packing
from tvo_cli.model.forward_pass.packed_layout import MaskedLayout, VarlenSequences
from tvo_cli.optim import fused_kernel
from tvo_cli.rollout.decoding import onednn


def paths(found: list[fast_paths.FastPath]) -> dict[str, tuple[bool, str]]:
    return {path.name: (path.on, path.why) for path in found}


def test_what_the_probe_of_products_says_is_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "onednn_keeps_accuracy", lambda: True)
    found = paths(fast_paths.fast_paths_here())
    assert all(found[name][0] for name in ("oneDNN products", "joined decoding", "packed rows", "shared prompts"))
    monkeypatch.setattr(onednn, "onednn_keeps_accuracy", lambda: False)
    found = paths(fast_paths.fast_paths_here())
    assert found["oneDNN products"] == (False, "this CPU would round to bfloat16: a product errs by more than 1e-05")
    assert all(found[name][0] for name in ("joined decoding", "packed rows", "shared prompts"))


def test_a_run_is_told_why_its_own_networks_take_no_path() -> None:
    policy = load_policy({"path": "fresh"}, device="cpu")
    optimizer = torch.optim.AdamW(policy.parameters())
    found = paths(fast_paths.fast_paths_of_run(policy, optimizer, "bfloat16"))
    parameters = sum(p.numel() for p in policy.parameters())
    assert found["oneDNN products"] == (False, f"{parameters:,} parameters: gains from 1,000,000 on")
    assert not found["fused optimiser"][0] and found["bfloat16"] == (True, "the forward pass")


def test_prompts_are_shared_with_recomputed_layers_where_rows_are_packed() -> None:
    policy = load_policy({"path": "fresh"}, device="cpu")
    policy.network.base_model.gradient_checkpointing = True
    on, why = paths(fast_paths.fast_paths_of_run(policy, None, "float32"))["shared prompts"]
    assert not on and why == "layers are recomputed and rows not packed: model.gradient_checkpointing=false"
    with onednn.onednn_matmul(policy.network):
        on, why = paths(fast_paths.fast_paths_of_run(policy, None, "float32"))["shared prompts"]
    assert on and "15%" in why


@pytest.mark.parametrize(("pieces", "kernel"), [(MaskedLayout, "SDPA with masks"), (VarlenSequences, "FlashAttention")])
def test_a_gpus_packed_rows_are_told_with_their_kernel(
    pieces: type, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = load_policy({"path": "fresh"}, device="cpu")
    packed_attention_kernels.register_gpu_attention()
    policy.network.set_attn_implementation(packed_attention_kernels.GPU_ATTENTION)
    monkeypatch.setattr(sequence_packing, "packing_pieces", lambda body: pieces)
    on, why = paths(fast_paths.fast_paths_of_run(policy, None, "float32"))["packed rows"]
    assert on and kernel in why


def test_rows_that_wait_join_others_where_the_cache_keeps_no_state() -> None:
    policy = load_policy({"path": "fresh"}, device="cpu")
    on, why = paths(list(fast_paths.network_fast_paths(policy)))["continuous batching"]
    assert on and "rollout.batch_size" in why
    policy.network.config.layer_types = ["linear_attention"] * policy.network.config.num_hidden_layers
    assert paths(list(fast_paths.network_fast_paths(policy)))["continuous batching"] == (
        False,
        "batch after batch: the cache keeps a state",
    )


def test_the_fused_optimiser_is_asked_and_not_restated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths(fast_paths.fast_paths_here())["fused optimiser"][0]
    monkeypatch.setattr(fused_kernel, "with_fused_kernel", lambda make, parameters: make)
    assert not paths(fast_paths.fast_paths_here())["fused optimiser"][0]


def test_features_of_any_cpu() -> None:
    assert machine.cpu_features("model name\t: X\nflags\t\t: fpu avx2 amx_bf16 fma sse\n") == [
        "avx2",
        "fma",
        "amx_bf16",
    ]
    assert machine.cpu_features("Features\t: fp asimd bf16 sve\n") == ["asimd", "sve", "bf16"]
    assert machine.cpu_features("") == []


def test_keys_are_present_or_not_and_never_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "HF_TOKEN", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert services.wandb_facts() == {"mode": "offline", "key": "none"}
    monkeypatch.setenv("WANDB_API_KEY", "hush-wandb")
    monkeypatch.setenv("HF_TOKEN", "hush-hub")
    found = services.service_facts()
    assert found["wandb"] == {"mode": "online", "key": "present"} and found["hub"]["token"] == "present"
    assert "hush" not in json.dumps(found)


def test_extras_are_there_or_told_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["torch>=2", "one>=1 ; extra == 'first'", 'two; extra == "second"', "pytest ; extra == 'dev'"]
    monkeypatch.setattr(services, "_requirements_of_extras", lambda: listed)
    monkeypatch.setattr(services, "_extra_version_or_missing", lambda package: "1.2" if package == "one" else "missing")
    assert services.extras_facts() == {"first": {"one": "1.2"}, "second": {"two": "missing"}}
    lacking = ("missing", "second; pip install -e '.[second]'")
    assert list(env._extra_lines(services.extras_facts())) == [("first", "one 1.2"), lacking]
    both = {"a": {"one": "missing"}, "b": {"two": "missing"}}
    assert list(env._extra_lines(both)) == [("missing", "a, b; pip install -e '.[NAME]'")]


def test_it_is_one_screen_and_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["env"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 80 and shown.err == "tvo env: asking torch and transformers …\n"
    assert [line.split()[0] for line in lines if not line.startswith(" ")][:4] == ["tvo", "python", "packages", "cpu"]
    assert main(["env", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"python", "packages", "environment"} <= set(found)
    assert set(found["environment"]) == set(environment.facts_of_machine())
    assert main(["env", "--format", "xml"]) == 2


def test_versions_keep_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "versions.json").write_text('{"python": "3.x", "fingerprint": "abc"}')
    environment.record_environment(tmp_path, {"device": "cpu"})
    held = json.loads((tmp_path / "versions.json").read_text())
    assert held == {"python": "3.x", "fingerprint": "abc", "environment": {"device": "cpu"}}
    (tmp_path / "other").mkdir()
    environment.record_environment(tmp_path / "other", {"device": "cpu"})
    assert {"python", "packages", "environment"} <= set(json.loads((tmp_path / "other/versions.json").read_text()))


SHORT = {
    "eval": ["evaluation.limit=2", "decoding.samples=1", "decoding.greedy=false", "threads=1"],
    "sft": ["steps=1", "rows=2", "problems=2", "samples=1", "threads=1"],
    "variance": [
        *("estimators=[reinforce]", "truth=reinforce", "batches=2", "true_batches=2", "warm_up=0", "rollouts=64"),
        "shared=['rollout.prompts=16','rollout.samples=4','rollout.minibatches=1','evaluation=off','logger=none']",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", [pytest.param(c, marks=pytest.mark.slow) if c == "variance" else c for c in SHORT])
def test_every_command_that_writes_a_folder_writes_the_same_facts(command: str, tmp_path: Path) -> None:
    from tvo_cli import config, experiment

    (tmp_path / "versions.json").write_text('{"python": "2.7"}')  # of an earlier command in this folder
    run: Any = {"eval": experiment.evaluate, "sft": experiment.sft, "variance": experiment.variance}[command]
    untold = [] if command == "sft" else [lambda *told: None]
    run(config.compose([*SHORT[command], f"output_dir={tmp_path}"], command), *untold)
    held = json.loads((tmp_path / "versions.json").read_text())
    assert held["python"] != "2.7" and {"packages", "threads", "processors", "git"} <= set(held)
    assert set(held["environment"]) == set(environment.facts_of_machine())
    assert set(held["environment"]["fast_paths"]) == {path.name for path in fast_paths.fast_paths_here()}
    assert held["environment"]["precision"] == "float32" and held["environment"]["device"] == "cpu"


def test_a_served_network_takes_no_path_of_ours() -> None:
    found = environment.facts_of_served_network("bfloat16")
    assert found["precision"] == "bfloat16" and set(found) == set(environment.facts_of_machine())
    assert not any(path["on"] for name, path in found["fast_paths"].items() if name in fast_paths.ELSEWHERE)


def test_a_run_writes_the_facts_beside_what_its_versions_held(tmp_path: Path) -> None:
    from tvo_cli import config
    from tvo_cli.experiment import train

    small = ["logger=none", "logger.console=off", "evaluation=off", "trainer.threads=1", "trainer.checkpoint_every=0"]
    sizes = ["rollout.prompts=4", "rollout.samples=2", "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=1"]
    train(config.compose([*small, *sizes, f"output_dir={tmp_path}"]))
    held = json.loads((tmp_path / "versions.json").read_text())
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["fast_paths"] == environment.fast_paths_taken(held["environment"])
    assert "shared prompts" in summary["fast_paths"] and "packed rows" not in summary["fast_paths"]
    assert {"python", "platform", "packages", "threads", "processors", "git", "fingerprint"} <= set(held)
    assert set(held["environment"]) == set(environment.facts_of_machine())
    assert held["environment"]["fast_paths"]["oneDNN products"]["why"] == "106,304 parameters: gains from 1,000,000 on"


def test_the_cpu_has_the_name_of_cpuinfo_or_its_architecture() -> None:
    assert machine.cpu_name("processor\t: 0\nmodel name\t: AMD EPYC\nflags\t: fma\n") == "AMD EPYC"
    assert machine.cpu_name("") == (platform.processor() or platform.machine()) != ""
