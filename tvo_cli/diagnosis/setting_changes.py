"""Changes of settings, in the keys of the trainer that wrote a log: `optimizer.lr=3e-05`, `learning_rate=3e-05`."""

from __future__ import annotations

from collections.abc import Mapping

from tvo_cli.diagnosis.finding import Remedy
from tvo_cli.diagnosis.training_log import PRIME, TRL, TVO, VERL, RunFacts

KEYS: Mapping[str, Mapping[str, str]] = {
    "learning rate": {
        TVO: "optimizer.lr",
        TRL: "learning_rate",
        VERL: "actor_rollout_ref.actor.optim.lr",
        PRIME: "trainer.optim.lr",
    },
    "samples": {
        TVO: "rollout.samples",
        TRL: "num_generations",
        VERL: "actor_rollout_ref.rollout.n",
        PRIME: "orchestrator.rollouts_per_example",
    },
    "prompts": {TVO: "rollout.prompts", VERL: "data.train_batch_size"},
    "passes": {TVO: "rollout.epochs", TRL: "num_iterations", VERL: "actor_rollout_ref.actor.ppo_epochs"},
    "response limit": {
        TVO: "rollout.max_tokens",
        TRL: "max_completion_length",
        VERL: "data.max_response_length",
        PRIME: "orchestrator.sampling.max_tokens",
    },
    "gradient clip": {
        TVO: "optimizer.clip_norm",
        TRL: "max_grad_norm",
        VERL: "actor_rollout_ref.actor.grad_clip",
        PRIME: "trainer.optim.max_norm",
    },
    "reference penalty": {TRL: "beta", VERL: "actor_rollout_ref.actor.kl_loss_coef"},
    "upper clip": {TRL: "epsilon_high", VERL: "actor_rollout_ref.actor.clip_ratio_high"},
    "entropy bonus": {VERL: "actor_rollout_ref.actor.entropy_coeff"},
    "mask of cut responses": {TRL: "mask_truncated_completions"},
    "sampler correction": {TRL: "vllm_importance_sampling_correction"},
    "off-policy steps": {PRIME: "max_async_level"},
}
TOOLS = (TVO, TRL, VERL, PRIME)
KNOWN_AS = {"learning rate": "optimizer.lr"}  # settings that the reader knows of any trainer's log, by our key


NOTHING = Remedy("")  # this trainer has no such setting, or it is set so already: left out


def change(facts: RunFacts, setting: str, text: str, value: object = None, factor: float | None = None) -> Remedy:
    """Return a remedy that sets a setting to a value, or to a factor of what it is where that is known.

    NOTHING where the trainer that wrote the log has no such setting; of an unknown trainer the words alone.
    """
    key = KEYS[setting].get(facts.tool)
    if key is None:
        return Remedy(text) if facts.tool not in TOOLS else NOTHING
    wanted = value if factor is None else _scaled(facts, setting, factor)
    return Remedy(text, (f"{key}={wanted}",) if wanted is not None else ())


def ours(facts: RunFacts, text: str, override: str) -> Remedy:
    """Return a remedy whose override only this tool has; NOTHING where it is set so already, or for other trainers."""
    key, _, value = override.partition("=")
    now = facts.settings.get(key, facts.settings.get(f"{key}.name"))
    return Remedy(text, (override,)) if facts.tool == TVO and str(now).lower() != value else NOTHING


def smaller_steps(facts: RunFacts) -> Remedy:
    """Return the first remedy of most instabilities."""
    return change(facts, "learning rate", "take smaller steps: a third of the learning rate", factor=1 / 3)


def controlled_steps(facts: RunFacts) -> Remedy:
    """Return the remedy that measures how far a step moves the policy, and divides it by that."""
    return ours(facts, "let the step follow the measured total variation", "algorithm=tvo")


def roll_back(facts: RunFacts) -> Remedy:
    """Return the remedy that lets a run return by itself; NOTHING where it does."""
    if facts.settings.get("stability.on_collapse") == "rollback":
        return NOTHING
    return ours(facts, "return to the last healthy state whenever a rule fires", "stability=act")


def _scaled(facts: RunFacts, setting: str, factor: float) -> str | None:
    """Return a setting of the run times a factor, as it is typed; None where the run does not state it."""
    key = KEYS[setting].get(TVO, "")
    value = facts.settings.get(KNOWN_AS.get(setting, key))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    scaled = value * factor
    return str(max(round(scaled), 1)) if isinstance(value, int) else f"{scaled:.2g}"
