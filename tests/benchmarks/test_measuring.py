"""What the benchmarks rest on: fits, spreads, the work both sides are given, and the sums behind the tables."""

from __future__ import annotations

import argparse
import json
import sys

import pytest
import torch

from benchmarks import divergence, gpu, scaling, startup, step, variance
from benchmarks import eval as evaluating
from benchmarks.measuring import child, fit, machine, middle, spread, table
from benchmarks.parts import Parts
from benchmarks.work import W1, WORKS, build, character_tokenizer, lengths, named, questions, reward


def test_an_exponent_is_found_with_an_interval_that_holds_it() -> None:
    x = [1.0, 2.0, 4.0, 8.0, 16.0]
    exact = fit(x, [3 * v**1.5 for v in x])
    assert exact.exponent == pytest.approx(1.5) and exact.high - exact.low < 1e-6
    noisy = fit(x, [v**2 * (1.1 if i % 2 else 0.9) for i, v in enumerate(x)])
    assert noisy.low < 2.0 < noisy.high and noisy.high - noisy.low > 0.05
    assert str(exact) == "1.500 [1.500, 1.500]"


def test_spreads_and_tables() -> None:
    assert spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0 … 3.0)"
    assert spread([]) == "–" and middle([]) == 0.0
    assert table(["a", "b"], [[1, "x"]]) == "| a | b |\n| --- | --- |\n| 1 | x |"


def test_a_child_tells_what_went_wrong() -> None:
    assert child([sys.executable, "-c", "print('noise'); print('{\"a\": 1}')"]) == {"a": 1}
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        child([sys.executable, "-c", "1/0"])


def test_the_machine_is_named() -> None:
    assert {"processor", "cores", "torch", "python", "command"} <= set(machine())


def test_parts_of_a_step_add_up() -> None:
    parts, ticks = Parts("wall"), iter(float(i) for i in range(100))
    parts.now = lambda: next(ticks)
    parts.begin()  # at 0
    timed = parts.wrapped("a", lambda x: x + 1)
    assert timed(1) == 2  # from 1 to 2
    timed(2)  # from 3 to 4
    parts.end_step(tokens=7)  # at 5
    assert parts.rows == [{"a": 2.0, "step": 5.0, "tokens": 7}]


def test_both_sides_are_given_the_same_lengths_and_they_are_skewed() -> None:
    work = WORKS["w1skew"]
    first, second = lengths(work, 0), lengths(work, 1)
    assert sorted(first) == sorted(second) and first != second
    assert (min(first), max(first), len(first)) == (8, 128, 128)
    assert 40 < sum(first) / 128 < 48  # log-uniform: (128 − 8)/ln 16 = 43


def test_prompts_and_rewards_differ_between_responses() -> None:
    texts = questions(50, 32)
    assert {len(text) for text in texts} <= set(range(30, 35)) and len(set(texts)) == 50
    assert len({reward(text[9:]) for text in texts}) > 3 and reward("") == 1.0


def test_the_end_token_lies_outside_the_model_unless_lengths_are_skewed() -> None:
    tokenizer, width = character_tokenizer(0, reachable_end=False)
    assert tokenizer.eos_token_id == width == len(tokenizer) - 1
    assert character_tokenizer(0, reachable_end=True)[1] == len(tokenizer)
    assert character_tokenizer(500, reachable_end=False)[1] == 500
    assert tokenizer.decode(tokenizer("7 + 3?\n")["input_ids"]) == "7 + 3?\n"


def test_a_work_is_its_fields() -> None:
    assert named(json.dumps(vars(W1))) == W1 == named("w1")


def test_ratios_are_peer_over_ours_and_memory_ours_over_peers() -> None:
    parts = {"generation": 1.0, "forward_backward": 1.0}
    mine, theirs = (parts | {"step": s, "peak_mb": m} for s, m in ((2.0, 100.0), (5.0, 400.0)))
    found = step.ratios({"tvo": [mine], "trl": [theirs]})
    assert found["step"] == [2.5] and found["peak_mb"] == [0.25]
    assert step.ratios({"tvo": [mine], "trl": []})["step"] == []


def test_problems_a_second_and_their_ratio() -> None:
    mine, theirs = ([{"cpu": c, "wall": 2 * c}] for c in (5.0, 15.0))
    found = evaluating.report({"tvo": mine, "lm-eval": theirs}, 200)
    assert "tvo, problems/s by cpu | 40.00 " in found and "lm-eval, problems/s by wall | 6.67 " in found
    assert "ratio by cpu | 3.00 (3.00 … 3.00)" in found
    assert "ratio" not in evaluating.report({"tvo": mine, "lm-eval": []}, 200)


def test_medians_of_a_process() -> None:
    rows = [{"step": s, "generation": 1.0, "tokens": 100} for s in (2.0, 4.0, 3.0)]
    found = step.medians({"rows": rows, "peak_mb": 5.0, "base_mb": 1.0})
    assert found["step"] == 3.0 and found["tokens_per_second"] == pytest.approx(100 / 3) and found["optimizer"] == 0.0


def test_the_reading_s_cost_is_taken_between_steps_with_and_without() -> None:
    on = {"on": True, "step": 11.0, "update": 6.0, "inside": 0.5}
    rows = [on, {"on": False, "step": 10.0, "update": 5.0, "inside": 0.0}]
    assert variance.shares(rows) == {"step_off": 10.0, "inside": 0.05, "difference": pytest.approx(0.1)}


def test_divergences_agree_with_each_other_and_the_binary_one_is_the_cheapest() -> None:
    made = divergence.measures(300, 8)
    exact, binary, top = (made[name][0]() for name in ("exact TV", "binary TV", "top-64 TV"))
    assert (binary <= exact + 1e-6).all() and (top <= exact + 1e-6).all() and (made["exact KL"][0]() >= 0).all()
    assert made["binary TV"][1] == 4 and made["exact TV"][1] == 1200
    found = divergence.run((100, 1000, 10_000), 8, "cpu", 1e-4)
    fits = divergence.exponents((100, 1000, 10_000), found)
    assert fits["binary TV"].exponent < 0.5 < fits["exact TV"].exponent + 0.3


def test_axes_vary_one_thing() -> None:
    for axis, points in scaling.AXES.items():
        sizes = [size for size, _ in points]
        assert sizes == sorted(sizes) and len(set(sizes)) == len(points) >= 4, axis
        assert len({work.name for _, work in points}) == len(points)
        for _, work in points:
            assert work.hidden % work.heads == 0 and work.heads % work.kv_heads == 0


def test_start_up_sees_what_is_imported() -> None:
    assert startup.imported(["-c", "import numpy"]) == ["numpy"]
    wall, cpu = startup.seconds(sys.executable, ["-c", "sum(range(10**6))"], "")
    assert 0.0 < cpu < 5.0 and wall > 0.0


def test_without_a_gpu_the_benchmark_says_so(monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu"])
    gpu.main()
    assert "skipped: there is no GPU" in capsys.readouterr().out


def test_limits_of_a_gpu() -> None:
    half, more = gpu.WORKS["0.5b"], gpu.WORKS["1.5b"]
    assert 0.49e9 < gpu.parameters(half) < 0.5e9 and 1.53e9 < gpu.parameters(more) < 1.55e9
    making, learning = gpu.flops(half)
    assert learning == 3 * making == pytest.approx(6 * gpu.parameters(half) * 128 * 640)
    weights_alone = 512 * gpu.parameters(half) * 2 / 1e12
    assert gpu.decoding_bound(half, 1e12) > weights_alone
    assert gpu.limits("NVIDIA H100 80GB HBM3") == (989e12, 3.35e12) and gpu.limits("something") is None
    run = {"rows": [{"step": 10.0, "generation": 6.0, "update": 4.0}], "gpu_mb": 1.0}
    found = gpu.summary(half, run, (1e15, 1e12))
    assert found["update_utilisation"] == pytest.approx(learning / 4e15)
    assert "step_utilisation" not in gpu.summary(half, run, None)


@pytest.mark.slow
def test_a_work_is_built_and_our_side_runs_on_it(tmp_path) -> None:
    """Two prompts of W1 for a step, in a process of its own, as the benchmark does it."""
    small = vars(W1) | {"name": "small", "prompts": 2, "samples": 2, "new_tokens": 6}
    small |= {"hidden": 24, "layers": 1, "inner": 16}
    work = named(json.dumps(small | {"shortest": 2}))
    folder = build(work, tmp_path / "small", 4)
    chosen = argparse.Namespace(steps=1, peer_steps=0, warm_up=1, clock="cpu", words=[], core="")
    found = step.once("tvo", sys.executable, work, folder, chosen)
    (row,) = found["rows"]
    assert row["tokens"] == sum(lengths(work, 1))
    assert row["step"] > row["generation"] > 0.0 and row["forward_backward"] > 0.0
    assert found["readings"]["policy/mismatch"] < 1e-5 and found["readings"]["gradient/variance"] > 0.0
