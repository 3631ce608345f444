"""The composition root: a resolved configuration becomes connected parts, and a run."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import MISSING, DictConfig, OmegaConf

from tvo_cli import config as configuration
from tvo_cli import data, environment
from tvo_cli.check import check
from tvo_cli.errors import UserError
from tvo_cli.evaluation import Evaluation, HeldOut, evaluating
from tvo_cli.evaluation.heldout import prompts as rendered
from tvo_cli.evaluation.running import Step
from tvo_cli.model import Critic, Policy, clone_frozen, load_policy
from tvo_cli.model.identity import digest
from tvo_cli.model.loading import place_of
from tvo_cli.model.prompt_check import Reader
from tvo_cli.optim.fused import fused
from tvo_cli.reward import Grader, Rewards
from tvo_cli.rollout import Sampling
from tvo_cli.rollout.engine import Engine, LocalEngine
from tvo_cli.rollout.products import LARGE, quick_products
from tvo_cli.rollout.served import VllmEngine
from tvo_cli.stability import Smoother, Watch, vacuous
from tvo_cli.tracking import Tracker
from tvo_cli.tracking.held_log import HeldLog
from tvo_cli.training import content, continuing, keeping, loop, recorder, streams
from tvo_cli.training import problems as chosen_problems
from tvo_cli.training.learner import Algorithm, CriticLearner, Learner
from tvo_cli.training.replay import Lived, live_again, live_otherwise
from tvo_cli.training.runtime import Runtime, start
from tvo_cli.training.session import Limits, Recorder, Session
from tvo_cli.training.sft import Report, Schooling, Taught, fine_tune, log_progress, record
from tvo_cli.training.update import Passes
from tvo_cli.training.variance import Moments, Progress, collect, compare

CACHED = 2048  # positions of one forward on a CPU
RECORDED = ("reward.", "dataset.", "rollout.prompts", "rollout.samples")  # settings that made a recorded batch
NOT_FOLLOWED = "not followed, for problems, responses and rewards are the recorded ones"


def train(config: DictConfig) -> dict[str, Any]:
    """Run one training; the summary that is also written to summary.json."""
    check(config)
    folder = Path(config.output_dir)
    continuing.check(folder, config)
    with ExitStack() as resources:
        held = resources.enter_context(HeldLog())
        session = _session(config, folder, resources)
        vacuous.say(config, reference=session.learner.reference is not None)
        content.check(folder, session.origin, config)
        continuing.remember(folder, config)
        resources.enter_context(session.tracker)
        held.say()
        environment.record(folder, environment.of_run(session.learner))
        keeping.resume(session)
        evaluation = loop.train(session)
        return session.tracker.finish(_summary(session, evaluation))


def evaluate(config: DictConfig, watch: Callable[[Step], object]) -> dict[str, Any]:
    """Evaluate one model on suites of problems; the summary that is also written to summary.json."""
    tree, place = configuration.plain(config.model), place_of(config.model)
    if config.rollout.get("engine") == "vllm":
        served = VllmEngine(place, tree["revision"], tree["dtype"], configuration.plain(config.rollout.options))
        engine: Engine = served
        tokenizer = served.tokenizer
        reader = Reader(str(tree["path"]), tokenizer, frozenset({tokenizer.eos_token_id}))
        facts = environment.of_served(str(tree["dtype"]))
    else:
        runtime = start(config.device, "auto", config.model.dtype, int(config.threads), deterministic=False)
        policy = load_policy(config.model, device=runtime.device)
        engine, tokenizer, reader = LocalEngine(policy), policy.tokenizer, Reader.of(policy, str(tree["path"]))
        facts = environment.of_network(policy, runtime)
    model = {"model": str(tree["path"]), "weights": digest(place) or tree["revision"], "dtype": tree["dtype"]}
    model["chat_template"] = hashlib.sha256(str(tokenizer.chat_template or "").encode()).hexdigest()[:12]
    model["engine"] = str(config.rollout.get("engine") or "tvo")
    return evaluating.evaluate(config, engine, tokenizer, model, watch, reader, facts)


def variance(config: DictConfig, progress: Progress) -> list[dict[str, Any]]:
    """tr Cov of each estimator's gradient at the same parameters, normalised by the true gradient's square."""
    true = _moments(config, str(config.truth), config.seed + 1, int(config.true_batches), None, progress)
    rows = []
    for name in config.estimators:
        found = _moments(config, str(name), config.seed, int(config.batches), true.mean, progress)
        compared = compare(found, true, int(config.rollouts))
        rows.append({"estimator": str(name)} | asdict(compared))
    return rows


def replay(run: Path, step: int, words: Sequence[str], most: int = 10) -> tuple[dict[str, Any], list[Lived]]:
    """Live a recorded step again and, when overrides are given, once more under them; what was recorded, and both."""
    recording = recorder.read(run, step)
    record: dict[str, Any] = recording[1]["record"]
    chosen = configuration.recorded(record["config"])
    with ExitStack() as resources:
        lived = [live_again(_session(_quiet(chosen), run, resources), recording, most=most)]
    if words:
        other, notes = _altered(chosen, words)
        configuration.declare(other, "train", words)
        check(other)
        same = other.optimizer.make._target_ == chosen.optimizer.make._target_
        with ExitStack() as resources:
            session = _session(_quiet(other), run, resources)
            at = lived[0].attributed
            lived.append(live_otherwise(session, recording, same_optimizer=same, most=most, attributed=at))
            lived[-1].notes += notes
    return record, lived


def _quiet(config: DictConfig) -> DictConfig:
    """Without loggers and without an evaluation: nothing is written."""
    config = copy.deepcopy(config)
    config.logger.name, config.logger.console, config.evaluation.problems = "none", "off", 0
    return config


def _altered(chosen: DictConfig, words: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """A resolved config with other choices of groups, then other numbers; and what a recorded batch cannot follow."""
    config = copy.deepcopy(chosen)
    notes: list[str] = []
    for word in sorted(words, key=lambda word: configuration.split_override(word)[0] not in configuration.groups()):
        key, value = configuration.split_override(word)
        if key in configuration.groups():
            notes += _exchange(config, chosen, word)
        elif OmegaConf.select(config, key, default=MISSING) is MISSING:
            known = configuration.key_paths(config)
            raise UserError(key, value, "there is no such key.", configuration.nearest(key, known))
        else:
            config.merge_with_dotlist([f"{key}={value}"])
            notes += [f"{word}: {NOT_FOLLOWED}"] if key.startswith(RECORDED) else []
    return config, notes


def _exchange(config: DictConfig, chosen: DictConfig, word: str) -> list[str]:
    """Put a group's choice in; what of it cannot act on a recorded batch, in words."""
    key, value = configuration.split_override(word)
    fresh = _composed(word, chosen)
    for node in ("algorithm", "optimizer") if key == "algorithm" else (key,):
        config[node] = fresh[node]
    if key == "algorithm":
        return _follow(config, chosen, value, fresh)
    return [f"{word}: {NOT_FOLLOWED}"] if f"{key}.".startswith(RECORDED) else []


def _follow(config: DictConfig, chosen: DictConfig, name: str, fresh: DictConfig) -> list[str]:
    """Change the settings in which the yamls of two algorithms differ, besides their own and the optimiser's."""
    from tvo_cli.report.compare.settings import brought_by

    was = str(chosen.algorithm.name)
    before = _composed(f"algorithm={was}", chosen) if was in configuration.names("algorithm") else chosen
    notes = []
    for key in sorted(one for one in brought_by(name) | brought_by(was) if not one.startswith("optimizer.")):
        now, then = OmegaConf.select(fresh, key), OmegaConf.select(before, key)
        if now != then and key.startswith(RECORDED):
            notes.append(f"{name} has {key}={now}: {NOT_FOLLOWED}")
        elif now != then == OmegaConf.select(chosen, key):  # what the run had set itself stands
            OmegaConf.update(config, key, now)
    return notes


def _composed(word: str, chosen: DictConfig) -> DictConfig:
    words = [word, f"model.lr_scale={chosen.model.lr_scale}", "output_dir=unused"]
    found: DictConfig = OmegaConf.create(configuration.plain(configuration.compose(words)))
    return found


def _moments(
    config: DictConfig, name: str, seed: int, batches: int, truth: torch.Tensor | None, progress: Progress
) -> Moments:
    """Gradients of one algorithm's estimator, its own rollout sizes included."""
    chosen = configuration.compose([f"algorithm={name}", f"seed={seed}", *config.shared, "output_dir=unused"])
    chosen.model = config.model
    check(chosen)
    rollouts = int(chosen.rollout.prompts) * int(chosen.rollout.samples)
    if rollouts != int(config.rollouts):
        raise UserError("rollouts", config.rollouts, f"algorithm={name} draws {rollouts} a batch; they must be equal.")
    with ExitStack() as resources:
        session = _session(chosen, Path(config.output_dir), resources)
        environment.record(session.folder, environment.of_run(session.learner), anew=True)
        return collect(session, batches, int(config.warm_up), truth, progress)


def sft(config: DictConfig, report: Report = log_progress) -> dict[str, Any]:
    """Fine-tune a model on worked solutions, save it in hub format, and say how good it is."""
    runtime = start(config.device, "float32", "float32", int(config.threads), deterministic=True)
    policy = load_policy(config.model, device=runtime.device)
    taught = chosen_problems.training(config, policy)
    if not isinstance(taught, Taught):
        raise UserError("dataset", config.dataset.name, "has no worked solutions to learn from.")
    fine_tune(policy, taught, config.model.prompt, _schooling(config), report)
    folder = Path(config.output_dir)
    policy.save(folder)
    environment.record(folder, environment.of_network(policy, runtime), anew=True)
    with Grader(config.reward) as grader:
        heldout = _sampled(config, policy, grader, int(config.problems), int(config.samples), 1.0)
        evaluation = heldout(policy)
    found = {"steps": int(config.steps), "seed": int(config.seed), "dataset": str(config.dataset.name)}
    return record(folder, found | evaluation.metrics() | {"torch": torch.__version__})


def _schooling(config: DictConfig) -> Schooling:
    return Schooling(
        steps=int(config.steps),
        rows=int(config.rows),
        lr=float(config.lr),
        betas=(float(config.betas[0]), float(config.betas[1])),
        weight_decay=float(config.weight_decay),
        clip_norm=float(config.clip_norm),
        warm_up=int(config.warm_up),
        decay=float(config.decay),
        seed=int(config.seed),
    )


def _session(config: DictConfig, folder: Path, resources: ExitStack) -> Session:
    """A run's parts, connected; nothing is written."""
    trainer = config.trainer
    runtime = start(
        trainer.device, trainer.precision, config.model.dtype, int(trainer.threads), bool(trainer.deterministic)
    )
    streams.begin(int(config.seed))
    policy = load_policy(config.model, device=runtime.device)
    problems = chosen_problems.training(config, policy, at_once=int(config.rollout.prompts))
    grader = resources.enter_context(Grader(config.reward))
    cursor = data.Cursor(problems, seed=int(config.seed), shuffle=True)
    learner = _learner(config, policy, runtime)
    if config.trainer.get("products", "default") == "auto":
        resources.enter_context(quick_products(*learner.networks, least=LARGE))
    heldout = _heldout(config, policy, grader)
    evaluated = heldout.problems if heldout else ()
    chosen_problems.say_overlap(config, problems, evaluated)
    return Session(
        seed=int(config.seed),
        folder=folder,
        learner=learner,
        cursor=cursor,
        prompt=config.model.prompt,
        sampling=Sampling.of(config.rollout),
        passes=_passes(config, policy),
        grader=grader,
        rewards=Rewards(config.reward),
        heldout=heldout,
        watch=Watch.of(config.stability),
        smoother=Smoother(),
        tracker=Tracker(config, folder),
        limits=_limits(config, runtime),
        recorder=_recorder(config.recorder),
        neutral_ids=chosen_problems.neutral_ids(problems, policy),
        origin=continuing.origin(config, learner) | content.hashes(problems, evaluated),
    )


def _recorder(node: DictConfig) -> Recorder:
    return Recorder(tuple(node.steps), bool(node.on_collapse), bool(node.on_nonfinite), int(node.keep))


def _learner(config: DictConfig, policy: Policy, runtime: Runtime) -> Learner:
    chosen, optimizer = config.algorithm, config.optimizer
    algorithm = Algorithm(
        name=str(chosen.name),
        estimator=configuration.build(chosen.estimator),
        objective=configuration.build(chosen.objective),
        step_rule=configuration.build(chosen.step_rule),
        sampling=configuration.build(chosen.sampling),
    )
    parameters = [p for p in policy.network.parameters() if p.requires_grad]
    return Learner(
        policy=policy,
        algorithm=algorithm,
        optimizer=fused(configuration.build(optimizer.make), parameters)(parameters, lr=float(optimizer.lr)),
        schedule=configuration.build(optimizer.schedule),
        lr=float(optimizer.lr),
        clip_norm=float(optimizer.clip_norm),
        runtime=runtime,
        reference=clone_frozen(policy) if config.stability.reference or _needs_reference(algorithm) else None,
        critic=_critic(config, policy) if chosen.critic else None,
    )


def _needs_reference(algorithm: Algorithm) -> bool:
    """Whether a KL to the reference is part of what is optimised."""
    penalties = algorithm.objective.penalties
    return algorithm.estimator.needs_reference or ("kl" in penalties and penalties["kl"].coef.value != 0.0)


def _critic(config: DictConfig, policy: Policy) -> CriticLearner:
    node = config.algorithm.critic
    critic = Critic(policy)
    optimizer = configuration.build(config.optimizer.make)(list(critic.parameters()), lr=float(node.lr))
    return CriticLearner(critic, optimizer, clip=float(node.clip), clip_norm=float(node.clip_norm))


def _passes(config: DictConfig, policy: Policy) -> Passes:
    return Passes(
        epochs=int(config.rollout.epochs),
        minibatches=int(config.rollout.minibatches),
        microbatch_rows=int(config.trainer.microbatch_rows),
        microbatch_tokens=_token_bound(config.trainer.get("microbatch_tokens", 0), policy),
        variance_parts=int(config.trainer.variance_parts),
        temperature=float(config.rollout.temperature) or 1.0,
    )


def _token_bound(asked: int | str, policy: Policy) -> int:
    """Positions a forward pass; what stays in a CPU's cache is computed fastest."""
    weights = list(policy.parameters())
    bounded = weights[0].device.type == "cpu" and sum(p.numel() for p in weights) >= LARGE
    return (CACHED if bounded else 0) if asked == "auto" else int(asked)


def _limits(config: DictConfig, runtime: Runtime) -> Limits:
    trainer, evaluation, stability = config.trainer, config.evaluation, config.stability
    automatic = "trainer" if runtime.accelerator.mixed_precision != "no" else "sampler"
    return Limits(
        steps=int(trainer.steps),
        prompts=int(config.rollout.prompts),
        evaluate_every=int(evaluation.every),
        evaluate_at_start=bool(evaluation.at_start),
        checkpoint_every=int(trainer.checkpoint_every),
        keep=int(trainer.keep),
        keep_every=int(trainer.keep_every),
        keep_best=bool(trainer.keep_best),
        nonfinite_limit=int(trainer.nonfinite_limit),
        snapshot_every=int(stability.snapshot_every) if stability.on_collapse == "rollback" else 0,
        thicken=float(stability.thicken),
        old_logp=automatic if trainer.old_logp == "auto" else str(trainer.old_logp),
        importance_cap=float(trainer.importance_cap),
    )


def _heldout(config: DictConfig, policy: Policy, grader: Grader) -> HeldOut | None:
    node = config.evaluation
    if int(node.problems) == 0:
        return None
    return _sampled(
        config,
        policy,
        grader,
        *(int(node.problems), int(node.samples), float(node.temperature)),
        max_tokens=int(node.max_tokens),
        confidence=float(node.confidence),
        seed=int(node.seed),
    )


def _sampled(
    config: DictConfig,
    policy: Policy,
    grader: Grader,
    count: int,
    samples: int,
    temperature: float,
    *,
    max_tokens: int | None = None,
    confidence: float = 0.95,
    seed: int = 4242,
) -> HeldOut:
    """Held-out problems of the configured data set, sampled without truncation of the distribution."""
    chosen = chosen_problems.heldout(config, policy, seed=seed, count=count, max_tokens=max_tokens)
    sampling = replace(
        Sampling.of(config.rollout),
        samples=samples,
        temperature=temperature,
        max_tokens=max_tokens or int(config.rollout.max_tokens),
        top_p=1.0,
        top_k=0,
    )
    return HeldOut(chosen, rendered(chosen, config.model.prompt, policy), sampling, grader, confidence, seed)


def _summary(session: Session, evaluation: Evaluation | None) -> dict[str, Any]:
    counters = session.counters
    return {
        "algorithm": session.learner.algorithm.name,
        "seed": session.seed,
        "steps": counters.step,
        "rollouts": counters.rollouts,
        "tokens": counters.tokens,
        "skipped_updates": counters.skipped,
        "rollbacks": counters.rollbacks,
        "best_fresh_accuracy": counters.best_accuracy,
        "best_step": counters.best_step,
        "collapse": session.watch.verdict(),
        "evaluation": evaluation.metrics() if evaluation else None,
        "grader": dict(session.grader.counts),
    }
