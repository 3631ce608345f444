"""The collapse watch: shows every step to the rules, records which fired, and decides what the loop does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from enum import Enum
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.stability.rule_interface import CollapseRule, RuleFiring

REWARD = "reward/mean"
REWARD_SMOOTHING = 0.8
SEVERITIES = ("collapse", "warning")


class CollapseAction(Enum):
    """What the collapse watch tells the training loop to do after a step."""

    NONE = "none"
    WARN = "warn"
    STOP = "stop"
    ROLLBACK = "rollback"


class CollapseWatch:
    """Rules by name, and what they have found.

    `observe` a step, then `decide`; after the loop has restored the last healthy state, `rolled_back`. A step is
    healthy when no rule that means collapse is breached or on its way to it. A step's metrics judge the policy
    that sampled it, so a healthy step vouches for the state *before* its update, not for the one after.
    """

    def __init__(
        self, rules: Mapping[str, CollapseRule], on_collapse: str, *, cooldown: int, max_rollbacks: int
    ) -> None:
        """Act on a collapse as `on_collapse` says; at least `cooldown` steps between two rollbacks."""
        self.rules, self.on_collapse = dict(rules), on_collapse
        self.cooldown, self.max_rollbacks = cooldown, max_rollbacks
        self.last_healthy_step: int | None = None
        self.last_healthy_policy: int | None = None  # steps that it had taken when the first collapse began
        self.action = CollapseAction.NONE
        self._records: dict[str, dict[str, Any]] = {}  # by rule: its first firing, and how long it lasted
        self._active: list[str] = []
        self._rollbacks: list[int] = []
        self._reward: float | None = None
        self._best: tuple[int, float] | None = None  # step and smoothed reward of the healthiest step
        self._calm: dict[str, Any] = {name: rule.state_dict() for name, rule in self.rules.items()}

    @classmethod
    def of(cls, node: Any) -> CollapseWatch:
        """From the `stability` node; a rule that is null is switched off."""
        from tvo_cli import config

        built = config.build(node.rules)
        rules = {str(name): _checked_rule_to_watch(str(name), rule) for name, rule in built.items() if rule is not None}
        return cls(rules, str(node.on_collapse), cooldown=int(node.cooldown), max_rollbacks=int(node.max_rollbacks))

    def observe(self, step: int, metrics: Mapping[str, float]) -> list[RuleFiring]:
        """The rules that began to fire at this step; those that keep firing are not returned again."""
        begun = self._check(step, metrics, evaluations=False)
        self._follow(step, metrics.get(REWARD))
        self.action = self._action(step)
        return begun

    def observe_evaluation(self, step: int, metrics: Mapping[str, float]) -> list[RuleFiring]:
        """The rules that began to fire at this evaluation; what steps have led to stays unless one did."""
        for rule in self.rules.values():
            rule.follow_evaluation(metrics)
        begun = self._check(step, metrics, evaluations=True)
        if begun and self.action is not CollapseAction.STOP:
            self.action = self._action(step)
        return begun

    def observe_collapse(self, firing: RuleFiring) -> CollapseAction:
        """A collapse that no rule can read, because there is no step to show: what follows, as of a rule's own."""
        self._active = [*(name for name in self._active if name != firing.rule), firing.rule]
        self._record(firing)
        if self.last_healthy_policy is None:
            self.last_healthy_policy = self._confirmed_policy()
        if self.action is not CollapseAction.STOP:
            self.action = self._action_on_collapse(firing.step)
        return self.action

    def _check(self, step: int, metrics: Mapping[str, float], *, evaluations: bool) -> list[RuleFiring]:
        """Show the metrics to the rules that read this kind; one of the other kind goes on firing."""
        asked = {name: rule for name, rule in self.rules.items() if rule.reads_evaluations is evaluations}
        found = {name: rule.check(step, metrics) for name, rule in asked.items()}
        firings = [replace(firing, rule=name) for name, firing in found.items() if firing is not None]
        begun = [firing for firing in firings if firing.rule not in self._active]
        others = [name for name in self._active if name in self.rules and name not in asked]
        self._active = [*others, *(firing.rule for firing in firings)]
        for firing in firings:
            self._record(firing)
        if self.last_healthy_policy is None and self._collapses():
            self.last_healthy_policy = self._confirmed_policy()
        return begun

    def decide(self) -> CollapseAction:
        """What to do after the step observed last."""
        return self.action

    def halt(self, firing: RuleFiring | None = None) -> None:
        """The loop stops the run: no healthy state to return to, or a reason of its own, which goes on record."""
        if firing is not None:
            self._active.append(firing.rule)
            self._record(firing)
        self.action = CollapseAction.STOP

    @property
    def healthy(self) -> bool:
        """Whether no rule that means collapse is suspicious of the step observed last."""
        return not any(rule.suspicious for rule in self.rules.values() if rule.severity == "collapse")

    def first_firings(self) -> set[int]:
        """The step at which a rule fired for the first time, and that at which one that means collapse did."""
        found = ([record["step"] for record in records] for records in (self._records.values(), self._collapses()))
        return {min(steps) for steps in found if steps}

    def policies_to_keep(self) -> set[int]:
        """Steps of the policies, vouched for by a healthy step, that may be the last such; none while all is well."""
        kept = set() if self.last_healthy_policy is None else {self.last_healthy_policy}
        return kept if self.healthy else kept | {self._confirmed_policy()}

    def _confirmed_policy(self) -> int:
        """Steps that the newest policy had taken which a healthy step has sampled from; 0: the start."""
        return max((self.last_healthy_step or 0) - 1, 0)

    def rolled_back(self, step: int) -> None:
        """The loop has restored the last healthy state at this step: the rules return to theirs too."""
        self._rollbacks.append(step)
        self._active, self.action = [], CollapseAction.NONE
        for name, rule in self.rules.items():
            rule.load_state_dict(self._calm[name])

    def verdict(self) -> dict[str, Any]:
        """The content of collapse.json; values that are not finite are None."""
        return {
            "verdict": self._word(),
            "rules": list(self.rules),  # what was watched: without any, "healthy" means that nobody looked
            "on_collapse": self.on_collapse,
            "collapsed_at": min((r["step"] for r in self._collapses()), default=None),
            "healthiest_step": None if self._best is None else self._best[0],
            "last_healthy_step": self.last_healthy_step,
            "last_healthy_policy": self.last_healthy_policy,
            "rolled_back_at": list(self._rollbacks),
            "firings": [
                {
                    **record,
                    "active": record["rule"] in self._active,
                    "value": _json_value_of_watched_metric(record["value"]),
                }
                for record in sorted(self._records.values(), key=lambda r: int(r["step"]))
            ],
        }

    def state_dict(self) -> dict[str, Any]:
        """All of it, in plain numbers, strings and lists."""
        return {
            "rules": {name: rule.state_dict() for name, rule in self.rules.items()},
            "calm": self._calm,
            "records": {name: dict(record) for name, record in self._records.items()},
            "active": list(self._active),
            "rollbacks": list(self._rollbacks),
            "reward": self._reward,
            "best": None if self._best is None else list(self._best),
            "last_healthy_step": self.last_healthy_step,
            "last_healthy_policy": self.last_healthy_policy,
            "action": self.action.value,
            "on_collapse": self.on_collapse,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`; a rule that was not there when it was saved starts anew.

        What stopped the run keeps it stopped, unless a collapse is now only to be warned of and was not then.
        """
        for name, rule in self.rules.items():
            if name in state["rules"]:
                rule.load_state_dict(state["rules"][name])
        self._calm |= {name: saved for name, saved in state["calm"].items() if name in self.rules}
        self._records = {name: dict(record) for name, record in state["records"].items()}
        self._active, self._rollbacks = list(state["active"]), list(state["rollbacks"])
        self._reward, self.last_healthy_step = state["reward"], state["last_healthy_step"]
        self.last_healthy_policy = state.get("last_healthy_policy")  # not in checkpoints of version 0.1
        self._best = None if state["best"] is None else (int(state["best"][0]), float(state["best"][1]))
        self.action = CollapseAction(state["action"])
        if self.action is CollapseAction.STOP and self.on_collapse == "warn" != state.get("on_collapse", "warn"):
            self.action = CollapseAction.WARN

    def _record(self, firing: RuleFiring) -> None:
        record = self._records.setdefault(firing.rule, asdict(firing) | {"steps": 0})
        again = firing.step == record.get("last_step")  # a finished run is evaluated as often as it is started
        record |= {"last_step": firing.step, "steps": record["steps"] + (not again)}

    def _follow(self, step: int, reward: float | None) -> None:
        """Remember the step if it is healthy, and whether it is the best so far."""
        if reward is not None and math.isfinite(reward):
            before = reward if self._reward is None else self._reward
            self._reward = REWARD_SMOOTHING * before + (1.0 - REWARD_SMOOTHING) * reward
        if not self.healthy:
            return
        self.last_healthy_step = step
        self._calm = {name: rule.state_dict() for name, rule in self.rules.items()}
        if self._reward is not None and (self._best is None or self._reward > self._best[1]):
            self._best = (step, self._reward)

    def _action(self, step: int) -> CollapseAction:
        severities = {self.rules[name].severity for name in self._active}
        if "collapse" not in severities:
            return CollapseAction.WARN if severities else CollapseAction.NONE
        return self._action_on_collapse(step)

    def _action_on_collapse(self, step: int) -> CollapseAction:
        if self.on_collapse != "rollback":
            return CollapseAction(self.on_collapse)
        if self._rollbacks and step - self._rollbacks[-1] <= self.cooldown:
            return CollapseAction.WARN
        spent = len(self._rollbacks) >= self.max_rollbacks or self.last_healthy_step is None
        return CollapseAction.STOP if spent else CollapseAction.ROLLBACK

    def _collapses(self) -> list[dict[str, Any]]:
        return [record for record in self._records.values() if record["severity"] == "collapse"]

    def _word(self) -> str:
        since = self._rollbacks[-1] if self._rollbacks else -1
        if self.action is CollapseAction.STOP:
            return "stopped"
        if any(record["last_step"] > since for record in self._collapses()):
            return "collapsed"
        return "rolled back" if self._rollbacks else "healthy"


def _checked_rule_to_watch(name: str, rule: Any) -> CollapseRule:
    """The rule, if its thresholds can be thresholds."""
    key = f"stability.rules.{name}"
    if not isinstance(rule, CollapseRule):
        raise UserError(f"{key}._target_", type(rule).__name__, "is not a collapse rule.", "See conf/stability.")
    if rule.severity not in SEVERITIES:
        raise UserError(f"{key}.severity", rule.severity, "not a choice.", f"Choose {' or '.join(SEVERITIES)}.")
    for setting in fields(rule):
        value = getattr(rule, setting.name)
        least = 1 if setting.type == "int" else 0
        if setting.init and setting.type in ("int", "float") and not _is_watched_threshold(value, least):
            raise UserError(f"{key}.{setting.name}", value, f"must be a number, at least {least}.")
    return rule


def _is_watched_threshold(value: Any, least: int) -> bool:
    """Whether a field of a rule that the watch is given can be a threshold: a number, at least `least`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= least


def _json_value_of_watched_metric(value: float) -> float | None:
    """The value of a metric that the watch saw, as collapse.json can hold it: null where it is not finite."""
    return value if math.isfinite(value) else None
