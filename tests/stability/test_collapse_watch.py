from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from tests.slow_cases import mostly_slow
from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.stability import CollapseAction, CollapseWatch
from tvo_cli.stability.collapse_rules import Ceiling, Drop

Metrics = dict[str, float]


@cache
def node(*overrides: str) -> DictConfig:
    chosen: DictConfig = config.compose(overrides).stability
    return chosen


def stability(*overrides: str) -> CollapseWatch:
    return CollapseWatch.of(node(*overrides))


def simple(on_collapse: str, cooldown: int = 2, max_rollbacks: int = 2) -> CollapseWatch:
    """Collapse below half of the reward's peak, two steps in a row; a warning above a KL of 2."""
    rules = {
        "reward_drop": Drop(
            severity="collapse", patience=2, metric="reward/mean", share=0.5, minimum_peak=0.2, smoothing=0.0
        ),
        "kl_ceiling": Ceiling(severity="warning", patience=1, metric="policy/kl_ref", limit=2.0),
    }
    return CollapseWatch(rules, on_collapse, cooldown=cooldown, max_rollbacks=max_rollbacks)


def show(watch: CollapseWatch, rewards: list[float], first: int = 1, kl: float = 0.0) -> list[CollapseAction]:
    actions = []
    for step, reward in enumerate(rewards, start=first):
        watch.observe(step, {"reward/mean": reward, "policy/kl_ref": kl})
        actions.append(watch.decide())
    return actions


def test_a_firing_is_told_once_and_remembered_from_its_first_step() -> None:
    watch = simple("warn")
    told = [watch.observe(k, {"reward/mean": r}) for k, r in enumerate([0.8, 0.3, 0.2, 0.1], start=1)]
    assert [[f.rule for f in firings] for firings in told] == [[], [], ["reward_drop"], []]
    verdict = watch.verdict()
    assert verdict["verdict"] == "collapsed"
    assert verdict["rules"] == ["reward_drop", "kl_ceiling"]
    assert verdict["collapsed_at"] == 3
    (firing,) = verdict["firings"]
    assert {k: firing[k] for k in ("rule", "step", "value", "threshold", "last_step", "steps", "active")} == {
        "rule": "reward_drop",
        "step": 3,
        "value": 0.2,
        "threshold": 0.4,
        "last_step": 4,
        "steps": 2,
        "active": True,
    }


def test_each_policy_decides_differently() -> None:
    series = [0.8, 0.3, 0.2, 0.1]
    warn, stop, rollback = (show(simple(how), series) for how in ("warn", "stop", "rollback"))
    assert warn == [CollapseAction.NONE, CollapseAction.NONE, CollapseAction.WARN, CollapseAction.WARN]
    assert stop[2] is CollapseAction.STOP
    assert rollback[2] is CollapseAction.ROLLBACK


def test_a_warning_never_acts() -> None:
    watch = simple("stop")
    assert show(watch, [0.5, 0.5], kl=9.0) == [CollapseAction.WARN, CollapseAction.WARN]
    assert watch.healthy
    assert watch.verdict()["verdict"] == "healthy"
    assert watch.verdict()["firings"][0]["rule"] == "kl_ceiling"


def test_the_decline_before_a_firing_is_not_healthy() -> None:
    watch = simple("rollback")
    healthy = []
    for step, reward in enumerate([0.7, 0.8, 0.3, 0.2], start=1):
        watch.observe(step, {"reward/mean": reward})
        healthy.append(watch.healthy)
    assert healthy == [True, True, False, False]
    assert watch.last_healthy_step == 2
    assert watch.verdict()["healthiest_step"] == 2


def test_the_policy_before_the_first_collapse_is_remembered_whatever_comes_later() -> None:
    watch = simple("warn")
    show(watch, [0.7, 0.8, 0.9])
    assert (watch.last_healthy_policy, watch.policies_to_keep()) == (None, set())
    show(watch, [0.3], first=4)
    assert watch.policies_to_keep() == {2}, "suspicious: what sampled step 3 had taken 2 steps"
    show(watch, [0.2], first=5)
    assert watch.verdict()["last_healthy_policy"] == 2
    show(watch, [0.9, 0.9, 0.2, 0.2], first=6)
    assert watch.verdict()["last_healthy_policy"] == 2 and watch.policies_to_keep() == {2, 6}
    restored = simple("warn")
    restored.load_state_dict(json.loads(json.dumps(watch.state_dict())))
    assert restored.policies_to_keep() == {2, 6}
    restored.load_state_dict({k: v for k, v in watch.state_dict().items() if k != "last_healthy_policy"})
    assert restored.last_healthy_policy is None, "a checkpoint from before it was kept"


def test_a_collapse_at_once_leaves_the_start() -> None:
    watch = simple("warn")
    show(watch, [0.8, 0.1, 0.1])
    assert watch.policies_to_keep() == {0}


def test_first_firings_are_the_first_of_any_rule_and_of_a_collapse() -> None:
    watch = simple("warn")
    assert watch.first_firings() == set()
    show(watch, [0.8, 0.8], kl=9.0)
    show(watch, [0.1, 0.1, 0.1], first=3)
    assert watch.first_firings() == {1, 4}


def test_rollback_returns_the_rules_to_their_healthy_state() -> None:
    """After it the restored policy's rewards are healthy again; the peak is still known."""
    watch = simple("rollback")
    show(watch, [0.7, 0.8, 0.3, 0.2])
    watch.rolled_back(4)
    assert watch.decide() is CollapseAction.NONE
    assert show(watch, [0.75, 0.7], first=5) == [CollapseAction.NONE, CollapseAction.NONE]
    assert watch.verdict()["verdict"] == "rolled back"
    assert watch.verdict()["rolled_back_at"] == [4]
    assert vars(watch.rules["reward_drop"])["peak"] == 0.8


def test_cooldown_then_another_rollback_then_stop() -> None:
    watch = simple("rollback", cooldown=3, max_rollbacks=2)
    assert show(watch, [0.8, 0.3, 0.2])[-1] is CollapseAction.ROLLBACK
    watch.rolled_back(3)
    assert show(watch, [0.3, 0.2, 0.2, 0.2], first=4) == [
        CollapseAction.NONE,
        CollapseAction.WARN,
        CollapseAction.WARN,
        CollapseAction.ROLLBACK,
    ]
    assert watch.verdict()["verdict"] == "collapsed"
    watch.rolled_back(7)
    assert show(watch, [0.3, 0.2, 0.2, 0.2], first=8)[1:] == [
        CollapseAction.WARN,
        CollapseAction.WARN,
        CollapseAction.STOP,
    ], "the last rollback has its cooldown too"
    assert watch.verdict()["verdict"] == "stopped"


def test_nothing_to_return_to_means_stop() -> None:
    rule = Ceiling(severity="collapse", patience=1, metric="policy/tv", limit=0.1)
    watch = CollapseWatch({"tv": rule}, "rollback", cooldown=1, max_rollbacks=3)
    watch.observe(1, {"policy/tv": 0.5})
    assert watch.decide() is CollapseAction.STOP


def test_state_survives_json_at_every_step() -> None:
    """Saved and restored between any two steps, with a rollback on the way, the verdict is the same."""

    def play(interrupted_at: int | None) -> dict[str, object]:
        watch = simple("rollback")
        for step, reward in enumerate([0.7, 0.8, 0.3, 0.2, 0.75, 0.3, 0.2, 0.1], start=1):
            watch.observe(step, {"reward/mean": reward})
            if watch.decide() is CollapseAction.ROLLBACK:
                watch.rolled_back(step)
            if step == interrupted_at:
                saved = json.dumps(watch.state_dict(), allow_nan=False)
                watch = simple("rollback")
                watch.load_state_dict(json.loads(saved))
        return watch.verdict()

    whole = play(None)
    assert whole["rolled_back_at"] == [4, 7]
    assert all(play(step) == whole for step in range(1, 9))


def test_verdict_is_strict_json_even_when_the_value_was_not_a_number() -> None:
    watch = stability("stability=default")
    watch.observe(1, {"loss/policy": float("nan")})
    verdict = json.loads(json.dumps(watch.verdict(), allow_nan=False))
    assert verdict["firings"][0]["rule"] == "nonfinite"
    assert verdict["firings"][0]["value"] is None


# conf/stability against whole trajectories


def trajectory(steps: int, end: float, seed: int, **changed: list[float]) -> Iterator[Metrics]:
    """Accuracy from 0.45 to `end` in 128 noisy rollouts a step, the rest moving as in a healthy run."""
    rng = random.Random(seed)
    for k in range(steps):
        true = 0.45 + (end - 0.45) * (1 - 2.718 ** (-3 * k / steps))
        accuracy = sum(rng.random() < true for _ in range(128)) / 128
        metrics = {
            "accuracy/fresh": accuracy,
            "reward/mean": accuracy,
            "policy/entropy": (0.65 - 0.45 * (true - 0.45)) * rng.uniform(0.9, 1.1),
            "answer/entropy": 2.6 * true * (1 - true) * rng.uniform(0.8, 1.2),
            "neutral/entropy": 2.05 - 0.35 * k / steps + rng.uniform(-0.05, 0.05),
            "policy/tv": rng.uniform(0.008, 0.03),
            "policy/kl_ref": 0.4 * k / steps,
            "response/length": 14 + rng.uniform(-1, 1),
            "response/truncated": rng.uniform(0.0, 0.05),
            "group/zero_advantage": true**2 + (1 - true) ** 2,
            "gradient/norm": rng.lognormvariate(0.0, 0.6),
            "optimizer/skipped": 0.0,
            "loss/policy": rng.gauss(0.0, 0.1),
        }
        metrics["thermo/entropy"] = metrics["policy/entropy"] * metrics["response/length"]
        yield metrics | {name.replace("__", "/"): values[k] for name, values in changed.items()}


def verdict_of(watch: CollapseWatch, metrics: Iterator[Metrics]) -> dict[str, Any]:
    for step, one in enumerate(metrics, start=1):
        watch.observe(step, one)
    return watch.verdict()


@pytest.mark.parametrize("choice", mostly_slow(["default", "strict", "act"], 1))
@pytest.mark.parametrize("end", [0.45, 0.8, 1.0])
@pytest.mark.parametrize("steps", [30, 300, pytest.param(1000, marks=pytest.mark.slow)])
def test_healthy_runs_are_left_alone(choice: str, end: float, steps: int) -> None:
    """Stagnant, improving and solved, short and long: no rule may fire, not even a warning."""
    for seed in range(4 if steps == 30 else 1 if steps == 300 else 2):
        found = verdict_of(stability(f"stability={choice}"), trajectory(steps, end, seed))
        assert found["firings"] == []
        assert found["verdict"] == "healthy"


def test_a_sparse_start_of_pairs_is_left_alone() -> None:
    """pass@1 0.05 in 64 pairs: nine groups in ten have no contrast, and that is no death."""
    rng = random.Random(0)
    pairs = [[sum(rng.random() < 0.05 for _ in range(2)) for _ in range(64)] for _ in range(300)]
    watch = stability("stability=default")
    for step, batch in enumerate(pairs, start=1):
        accuracy = sum(batch) / 128
        zero = sum(right != 1 for right in batch) / 64
        watch.observe(step, {"accuracy/fresh": accuracy, "reward/mean": accuracy, "group/zero_advantage": zero})
    assert watch.verdict()["firings"] == []


def after(start: list[float], level: float) -> list[float]:
    return start + [level] * (30 - len(start))


COLLAPSES = {
    "entropy_floor": {"policy__entropy": after([0.6] * 5, 0.001)},
    "reward_drop": {"reward__mean": after([0.45, 0.4], 0.05)},
    "accuracy_drop": {"accuracy__fresh": after([0.45, 0.4], 0.05)},
    "neutral_floor": {"neutral__entropy": after([2.05] * 5, 0.2)},
    "answer_floor": {"answer__entropy": after([0.6] * 5, 0.0)},
    "tv_ceiling": {"policy__tv": after([0.02] * 5, 0.15)},
    "kl_ceiling": {"policy__kl_ref": after([0.1] * 5, 8.0)},
    "truncation": {"response__truncated": after([0.1] * 5, 0.9)},
    "zero_advantage": {"group__zero_advantage": after([0.5] * 5, 1.0)},
    "nonfinite": {"gradient__norm": after([1.0] * 5 + [float("inf")], 1.0)},
    "nonfinite_persistent": {"optimizer__skipped": after([0.0] * 5, 4.0)},
    "gradient_blow_up": {"gradient__norm": after([1.0] * 10, 60.0)},
    "entropy_rise": {
        "accuracy__fresh": after([0.45], 0.0),
        "thermo__entropy": after([4.2], 56.0),
        "response__length": [14.0] * 30,
    },
    "length_band": {"response__length": after([14.0] * 5, 90.0), "accuracy__fresh": after([0.5] * 5, 0.4)},
}
FIRST = {  # worked out by hand from conf/stability/default.yaml
    "entropy_floor": 11,  # 0.6·½^j + … < 0.06 from step 9 on, the third in a row
    "reward_drop": 8,  # 0.05 + 0.39·0.8^j < 0.225 from j = 4, step 6 on
    "accuracy_drop": 8,
    "neutral_floor": 9,  # 0.6625 < 1.025 from step 7 on
    "answer_floor": 23,  # 0.8^j < 0.1 from j = 11, step 16 on; excused to step 18, while the accuracy surely rises
    "tv_ceiling": 7,
    "kl_ceiling": 8,
    "truncation": 8,
    "zero_advantage": 10,
    "nonfinite": 6,
    "nonfinite_persistent": 8,
    "gradient_blow_up": 11,
    "entropy_rise": 5,  # from 0.3 to 4 nats; the accuracy, 0.45 halved at each step, is below a half from step 3 on
    "length_band": 10,  # 14 + 76·(1 − 0.8^j) > 42 from j = 3, step 8 on
}
MEANS_COLLAPSE = {
    "entropy_floor",
    "reward_drop",
    "accuracy_drop",
    "neutral_floor",
    "nonfinite_persistent",
    "entropy_rise",
}


@pytest.mark.parametrize("rule", COLLAPSES)
def test_every_default_rule_fires_on_its_collapse(rule: str) -> None:
    found = verdict_of(stability("stability=default"), trajectory(30, 0.6, 0, **COLLAPSES[rule]))
    firings = {firing["rule"]: firing for firing in found["firings"]}
    assert rule in firings
    assert firings[rule]["step"] == FIRST[rule]
    assert found["verdict"] == ("collapsed" if rule in MEANS_COLLAPSE else "healthy")


def test_every_default_rule_has_a_collapse_here() -> None:
    watch = stability("stability=default")
    assert set(COLLAPSES) == {name for name, rule in watch.rules.items() if not rule.reads_evaluations}


def evaluated(pass_at_1: float, high: float) -> Metrics:
    return {"eval/pass@1": pass_at_1, "eval/pass@1_low": 0.0, "eval/pass@1_high": high}


def test_the_evaluation_before_step_1_tells_of_a_policy_lost_in_its_first_step() -> None:
    """Training batches that never knew a right answer, entropy that does not move: only evaluations can tell."""
    watch = stability("stability=default")
    assert watch.observe_evaluation(0, evaluated(0.211, 0.28)) == []
    for step, one in enumerate(trajectory(10, 0.0, 0, accuracy__fresh=[0.0] * 10, reward__mean=[0.0] * 10), start=1):
        assert "evaluation_drop" not in [firing.rule for firing in watch.observe(step, one)]
    (firing,) = watch.observe_evaluation(10, evaluated(0.0, 0.057))
    assert (firing.rule, firing.value, firing.threshold) == ("evaluation_drop", 0.057, pytest.approx(0.1055))
    assert watch.verdict()["verdict"] == "collapsed" and watch.decide() is CollapseAction.WARN
    assert watch.observe_evaluation(10, evaluated(0.0, 0.057)) == [], "the same evaluation, made again"
    record = next(one for one in watch.verdict()["firings"] if one["rule"] == "evaluation_drop")
    assert (record["steps"], record["active"]) == (1, True)


@pytest.mark.parametrize("later", [(0.12, 0.18), (0.09, 0.15), (0.6, 0.66)])
def test_evaluations_that_noise_explains_are_no_fall(later: tuple[float, float]) -> None:
    watch = stability("stability=default")
    watch.observe_evaluation(0, evaluated(0.211, 0.28))
    assert watch.observe_evaluation(5, evaluated(*later)) == []


def test_an_evaluation_leads_to_what_a_step_leads_to_and_does_not_undo_it() -> None:
    stopping = stability("stability=default", "stability.on_collapse=stop")
    stopping.observe_evaluation(0, evaluated(0.5, 0.6))
    stopping.observe(1, next(trajectory(30, 0.6, 0)))
    stopping.observe_evaluation(1, evaluated(0.1, 0.15))
    assert stopping.decide() is CollapseAction.STOP
    halted = stability("stability=default")
    halted.halt()
    assert halted.observe_evaluation(3, evaluated(0.5, 0.6)) == [] and halted.decide() is CollapseAction.STOP


def test_one_threshold_is_overridden_and_one_rule_switched_off() -> None:
    watch = stability("stability.rules.entropy_floor.share=0.05", "stability.rules.kl_ceiling=null")
    floor, default = (vars(one.rules["entropy_floor"]) for one in (watch, stability()))
    assert floor["share"] == 0.05
    assert floor["absolute"] == default["absolute"]
    assert "kl_ceiling" not in watch.rules
    assert stability("stability=off").rules == {}
    assert stability("stability=act").on_collapse == "rollback"
    assert stability("stability=strict").on_collapse == "stop"


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("stability.rules.entropy_floor.share=abc", "stability.rules.entropy_floor.share"),
        ("stability.rules.entropy_floor.patience=0", "stability.rules.entropy_floor.patience"),
        ("stability.rules.kl_ceiling.limit=-1", "stability.rules.kl_ceiling.limit"),
        ("stability.rules.kl_ceiling.limit=nan", "stability.rules.kl_ceiling.limit"),
        ("stability.rules.kl_ceiling.severity=fatal", "stability.rules.kl_ceiling.severity"),
    ],
)
def test_a_threshold_that_cannot_be_one_is_named(override: str, key: str) -> None:
    with pytest.raises(UserError) as caught:
        stability(override)
    assert caught.value.key == key


def test_only_rules_are_rules() -> None:
    odd = {"rules": {"odd": {"_target_": "tvo_cli.optim.Free"}}, "on_collapse": "warn"}
    with pytest.raises(UserError, match=r"stability\.rules\.odd\._target_"):
        CollapseWatch.of(OmegaConf.create(odd))
