"""Declarations of a run's groups: algorithm, rollout, reward, optimizer, trainer, stability, logger."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tvo_cli.config.schema.data_and_model_groups import SourceDataset
from tvo_cli.config.schema.value_types import (
    DAY,
    MOST,
    Addresses,
    AtLeastOne,
    Built,
    Count,
    DeclaredKeys,
    Device,
    Free,
    Label,
    Name,
    NotNegative,
    OwnCode,
    PathLabel,
    Positive,
    PositiveOrInf,
    Real,
    RewardFunction,
    Rows,
    RowsOrNone,
    Seconds,
    SomeShare,
    Stops,
    Threads,
    Tokens,
    Whole,
    key,
)


class CriticConfig(DeclaredKeys):
    """The value network of an algorithm that has one."""

    lr: Positive = key("learning rate of the critic's own optimiser")
    clip: PositiveOrInf = key("how far a value may move from the old one; .inf: any way")
    clip_norm: Positive = key("largest norm of the critic's gradient")


class NextTokenConfig(DeclaredKeys):
    """The next-token loss of demonstrations beside the responses."""

    coefficient: NotNegative = key("of the loss; 0 is off")
    rows: Rows = key("demonstrations a batch, shared out among its minibatches")
    data: SourceDataset | None = key("where they come from: a whole dataset config; null: the run's own data set")


class AlgorithmConfig(DeclaredKeys):
    """The pieces of the equation (docs/algorithms.md)."""

    name: Label = key("the algorithm's name")
    directions: dict[str, Name | None] = key(
        "method: what it does to the entropy, or which tokens it favours", before={}
    )
    estimator: Built = key("Â: from rewards to advantages")
    reward_shaping: dict[str, Built] = key("method: what it makes of the rewards before Â", optional=True)
    advantage_shaping: dict[str, Built] = key("method: what it makes of Â", optional=True)
    self_imitation: Built = key("which good responses are kept and learnt from again", optional=True)
    internal_policy: Built = key("which inner block's policy learns first, and how long", optional=True)
    next_token: NextTokenConfig | None = key("demonstrations that are learnt beside the responses", optional=True)
    thinking_end: Name = key("text that ends the thinking phase of a response", optional=True)
    objective: Built = key("the loss: surrogate, weight, forces, penalties, reduction")
    step_rule: Built = key("ν: what divides the step")
    critic: CriticConfig | None = key("the value network, or null")
    branching: Built | None = key("where responses begin with the first tokens of others", optional=True)
    token_temperature: Built | None = key("the temperature of each token in sampling", optional=True)
    sampling: Built = key("which groups of responses make a batch", before={"_target_": "tvo_cli.rollout.EveryGroup"})


class RolloutConfig(DeclaredKeys):
    """How responses are sampled, and how often they are used."""

    prompts: Rows = key("prompts of a batch")
    samples: Rows = key("responses a prompt")
    epochs: Rows = key("passes over a batch")
    minibatches: Rows = key("parts of a batch, of whole prompts, with an update each")
    max_tokens: Tokens = key("most tokens of a response")
    temperature: NotNegative = key("of sampling; 0 is greedy")
    top_p: SomeShare = key("nucleus: least probability that is kept; 1 is off")
    top_k: Whole = key("most probable tokens that are kept; 0 is off")
    stop: Stops | None = key("texts that end a response")
    batch_size: Rows = key("responses generated at once, at most")
    cache_gb: Literal["auto"] | NotNegative = key("of their KV cache, 10⁹ bytes; 0: no bound", before=0)
    engine: Literal["vllm", "server"] = key("who generates; vllm: in this process", optional=True)
    options: Free = key("of vllm.LLM, any of its keywords", optional=True)
    url: Addresses = key("of the servers, one a replica", optional=True)
    model: Name = key("the model's name at the servers", optional=True)
    weights: Literal["disk", "none", "nccl", "ipc"] = key("how a server gets the weights", optional=True)
    folder: PathLabel = key("through which a server gets the weights", optional=True)
    untie: bool = key("write a tied output head as a tensor of its own", optional=True)
    requests: Rows = key("in flight a server", optional=True)
    timeout: Seconds = key("seconds for one request of a server", optional=True)
    mismatch_limit: PositiveOrInf = key("nats a token between engine and trainer", optional=True)


class LengthRewardConfig(DeclaredKeys):
    """The overlong term of a reward."""

    weight: NotNegative = key("of the term; 0 is off")
    maximum: Tokens = key("tokens from which on the term is −1")
    buffer: SomeShare = key("share of the maximum over which the term falls")


class HypervolumeConfig(DeclaredKeys):
    """The weighting by hypervolume: M = base + scale·tanh(ΔHV)."""

    base: Positive = key("M where an evaluation adds no volume")
    scale: NotNegative = key("what a large gain adds to it")


class GradientWeightsConfig(DeclaredKeys):
    """The weighting by gradients: w ← softmax(log w + rate·I)."""

    rate: NotNegative = key("of the mirror ascent; the paper's lr/μ")
    every: Count = key("steps whose influences are averaged before the weights move")
    normalise: bool = key("gradients of norm 1: else the largest one tends to win")
    floor: Annotated[float, Field(gt=0, lt=0.5)] = key("least share of the weights' sum")


class WindowWeightsConfig(DeclaredKeys):
    """The weighting by windows of losses: λ = K·softmax(S/temperature)."""

    window: Count = key("batches whose losses are compared with those of as many before")
    temperature: PositiveOrInf = key("of the softmax; .inf: all weights stay")


class RewardConfig(DeclaredKeys):
    """How a response becomes a number."""

    profile: Literal["math", "aime", "digits"] = key("how an answer is judged where its problem does not say")
    unfinished: Literal["wrong", "graded"] = key("a response cut off by the token limit")
    unboxed: Literal["wrong", "stated", "whole"] = key("a response without a box", before="wrong")
    audit: bool = key("ask math-verify's own verdict too", before=False)
    scorer: OwnCode | None = key("own function that judges instead: FILE.py:NAME", before=None)
    correct: Real = key("weight of 1[correct]", before=1.0)
    format: NotNegative = key("weight of 1[exactly one box]")
    length: LengthRewardConfig = key("the overlong term")
    functions: list[RewardFunction] = key("own reward functions (docs/own-reward.md)", before=[])
    weighting: Literal["fixed", "hypervolume", "gradient", "recap"] = key("how weights follow the run", before="fixed")
    hypervolume: HypervolumeConfig = key("its settings", before={"base": 0.5, "scale": 1.5})
    gradient: GradientWeightsConfig = key(
        "its settings", before={"rate": 0.1, "every": 1, "normalise": False, "floor": 1e-3}
    )
    recap: WindowWeightsConfig = key("its settings", before={"window": 10, "temperature": 5.0})
    isolated: bool = key("own functions run in processes of their own, with a deadline", before=True)
    on_error: Literal["stop", "count"] = key("a failing own function: stop, or no opinion", before="stop")
    workers: Threads = key("child processes for math-verify; 0: one a processor, at most 8")
    deadline: Annotated[float, Field(ge=0.01, le=DAY)] = key("seconds for one answer")
    cap_bytes: Annotated[int, Field(ge=256, le=MOST)] = key("of a longer response the tail is read")
    memory_mb: Annotated[int, Field(ge=256, le=MOST)] = key("of each child")


class OptimizerConfig(DeclaredKeys):
    """How a gradient becomes a step."""

    lr: Positive = key("learning rate")
    clip_norm: Positive = key("largest norm of the gradient")
    warm_up: Whole = key("batches over which lr rises linearly, before any schedule; 0: none", before=0)
    schedule: Built = key("factor on lr over the run")
    make: Built = key("the optimiser, of torch.optim")


class TrainerConfig(DeclaredKeys):
    """How long a run is, where it computes, and what it keeps."""

    steps: Count = key("rollout batches")
    device: Device = key("auto, cpu, cuda, cuda:1, mps")
    precision: Literal["auto", "float32", "bfloat16"] = key(
        "autocast of forward and backward; auto: bfloat16 on a GPU, or a CPU with AMX, from 1e7 parameters on"
    )
    microbatch_rows: Whole = key("responses a forward pass; 0: a whole minibatch, within microbatch_tokens")
    microbatch_tokens: Literal["auto"] | Whole = key("positions a forward pass; 0: no bound", before=0)
    matmul: Literal["auto", "default"] = key("fp32 products on a CPU", before="default")
    variance_parts: RowsOrNone = key("micro-batches of the first minibatch, for the gradient variance")
    old_logp: Literal["auto", "sampler", "trainer"] = key("whose log-probabilities count as π_old")
    importance_cap: PositiveOrInf = key("truncated importance weight between sampler and trainer")
    checkpoint_every: Whole = key("batches between checkpoints; 0: only at the end")
    keep: Whole = key("newest checkpoints kept")
    keep_every: Whole = key("besides, those after every so many batches; 0: none", before=0)
    keep_best: bool = key("besides, the best", before=True)
    save_policy_only: bool = key("checkpoints that no resume needs hold the policy alone", before=False)
    deterministic: bool = key("only algorithms of torch that give the same bits again")
    threads: Threads = key("CPU threads; 0: torch's choice")
    profile: list[Count] = key("steps whose operations torch times, counted from 1", before=[])
    nonfinite_limit: Count = key("skipped updates in a row after which the run stops")


class ParallelConfig(DeclaredKeys):
    """How the work is shared out among processes (docs/scale.md)."""

    strategy: Literal["single", "replicate", "shard"] = key("one process, copies of the weights, or shares of them")
    shard_over: Whole = key("ranks that hold one copy between them; 0: all")
    free_layers: bool = key("free a layer's gathered weights after its forward")
    offload: bool = key("parameters and moments in host memory between their uses")
    gather: Literal["float32", "bfloat16"] = key("dtype in which weights travel and compute")
    timeout: Annotated[float, Field(gt=0, le=DAY)] = key("seconds that a rank waits for another")
    check_every: Whole = key("batches between two comparisons of all ranks' states; 0: never")


class ResumeConfig(DeclaredKeys):
    """Whether a run folder is gone on with."""

    mode: Literal["auto", "must", "never"] = key("go on, refuse to start anew, or start anew")
    allow: list[Name] = key("keys that may differ from the run in the folder")


class RecorderConfig(DeclaredKeys):
    """The flight recorder."""

    steps: list[Count] = key("steps to keep whatever happens, counted from 1")
    on_collapse: Literal["auto"] | bool = key("keep the step in which a collapse began")
    on_nonfinite: Literal["auto"] | bool = key("keep the step in which a NaN began")
    keep: Whole = key("newest of those that nobody asked for")


class ReadingsConfig(DeclaredKeys):
    """Readings of a step that are off by default, and what they look at."""

    policy_cliff: bool = key("ties among a group's best responses, and what breaks them")
    support: bool = key("problems kept, gained and lost between the first held-out evaluation and each one")
    layer_entropy: bool = key("entropy of the policy that each layer's states would be")
    spectral_entropy: bool = key("diffusion spectral entropy of the representations of the run's first prompts")
    valley: bool = key("heat, temperature, heat capacity and entropic force on a frozen set of right responses")
    lion: bool = key("turned updates and Lyapunov function of optimizer=lion", before=False)
    every: Count = key("steps between two of those that cost forwards: layer_entropy, spectral_entropy, valley")
    rows: Count = key("prompts or responses that those look at")
    temperature: Positive = key("of the soft policy of policy_cliff, in units of reward")
    perturbation: Positive = key("of one reward, in policy_cliff")
    narrow: Positive = key("spread of rewards below which policy_cliff counts a group as narrow")
    diffusion_time: Positive = key("diffusion steps of spectral_entropy")
    window: Count = key("batches of the running mean of the weights, in valley")


class StabilityConfig(DeclaredKeys):
    """What is watched, and what a collapse leads to."""

    on_collapse: Literal["warn", "stop", "rollback"] = key("what a rule of severity `collapse` leads to")
    reference: Literal["auto"] | bool = key("keep a frozen copy of the start, for policy/kl_ref")
    snapshot_every: Whole = key("steps between the states that a rollback returns to")
    viscosity_factor: AtLeastOne = key("factor on the viscosity at a rollback, and at a refusal")
    refuse: NotNegative = key("standard errors F may rise by in an update; more is taken back; 0: off", before=0.0)
    refuse_drift: NotNegative = key("limit of the CUSUM of slow rises of F; 0: none", before=6.0)
    readings: ReadingsConfig = key("readings that are off by default", optional=True)
    cooldown: Whole = key("steps after a rollback in which there is no other")
    max_rollbacks: Whole = key("then the run stops")
    rules: dict[str, Built | None] = key("one rule a name; null switches it off")


class AlertsConfig(DeclaredKeys):
    """Who is told of what happens to a run, besides its log, its console and its mirrors."""

    webhook: Name | None = key("the environment variable that holds the address")
    format: Literal["auto", "slack", "discord", "json"] = key("what the webhook is sent")
    command: list[Name] | None = key("a program and its arguments; the text is its stdin")
    severity: Literal["warning", "collapse"] = key("the least that is told")
    cooldown: NotNegative = key("seconds in which the same rule is not told again")
    deadline: Annotated[float, Field(gt=0, le=DAY)] = key("seconds for one message")


class LoggerConfig(DeclaredKeys):
    """What stands on the console, and who mirrors the metrics."""

    name: Literal["none", "wandb", "tensorboard", "trackio", "mlflow"] = key("the mirror, or the last of several")
    mirrors: dict[Literal["wandb", "tensorboard", "trackio", "mlflow"], bool] = key("all of them", before={})
    console: Literal["auto", "live", "plain", "off"] = key("a panel, lines, or nothing", before="auto")
    every_seconds: NotNegative = key("plain lines: at most one in so many seconds; 0: every step", before=0)
    alerts: AlertsConfig = key("who is told of what happens", before={})
    project: Name = key("under which W&B, trackio or MLflow keep the run", optional=True)
    mode: Literal["auto", "online", "offline", "disabled"] = key("of W&B", optional=True)
    system_charts: bool = key("whether W&B, trackio or MLflow chart CPU, memory and GPU", optional=True)


class ObjectiveReadsConfig(DeclaredKeys):
    """What the pieces of an objective look at besides a token's own scores."""

    minibatch: bool = key("statistics over the whole minibatch, whatever the micro-batches", optional=True)
    old_entropy: bool = key("the entropy of the policy that sampled", optional=True)
    covariance: bool = key("of π and log π", optional=True)
    old_covariance: bool = key("the same of the policy that sampled", optional=True)
    prompt_logp: bool = key("log-probabilities of the prompts' own tokens", optional=True)
    answers: bool = key("which responses to a prompt give equal answers", optional=True)
    group_divergence: bool = key("how far a prompt's responses are apart, position by position", optional=True)
