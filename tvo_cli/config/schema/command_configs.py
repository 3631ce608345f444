"""The configs a command starts from, and which declaration a group of conf/ has."""

from __future__ import annotations

from typing import Any, Literal

from tvo_cli.config.schema.adapter_groups import Adapter
from tvo_cli.config.schema.data_and_model_groups import Curriculum, Dataset, ModelConfig
from tvo_cli.config.schema.evaluation_groups import (
    DecodingConfig,
    EvaluationDefaultsConfig,
    EvaluationScheduleConfig,
    GraderConfig,
    ProtocolConfig,
    SuitesConfig,
)
from tvo_cli.config.schema.training_groups import (
    AlgorithmConfig,
    LoggerConfig,
    OptimizerConfig,
    ParallelConfig,
    RecorderConfig,
    ResumeConfig,
    RewardConfig,
    RolloutConfig,
    StabilityConfig,
    TrainerConfig,
)
from tvo_cli.config.schema.value_types import (
    Betas,
    Count,
    DeclaredKeys,
    Device,
    Name,
    NotNegative,
    PathLabel,
    PathName,
    Positive,
    Rows,
    RowsOrNone,
    Seed,
    Share,
    SomeWords,
    Threads,
    Whole,
    key,
)

ONE_PROCESS = {
    "strategy": "single",
    "shard_over": 0,
    "free_layers": True,
    "offload": False,
    "gather": "float32",
    "timeout": 900,
    "check_every": 1,
}  # conf/parallel/single.yaml, of runs from before there was more


Auto = Literal["auto"]


class CommandConfig(DeclaredKeys):
    """What every command has."""

    seed: Seed = key("of everything that is drawn")
    experiment_name: PathLabel = key("the folder under outputs/")
    run_name: PathLabel = key("the folder under outputs/EXPERIMENT/")
    output_dir: PathLabel = key("the run folder")
    plugins: list[Name] = key("files and modules of own code: ./mine.py, my_package", before=[])
    own_code: dict[str, Name] = key("sha256 of each of them; the program fills it", before={})


class TrainConfig(CommandConfig):
    """conf/train.yaml."""

    model: ModelConfig = key("which network")
    adapter: Adapter = key("what trains: all weights or an adapter", before={"kind": "none", "lr_scale": 1.0})
    dataset: Dataset = key("which problems")
    curriculum: Curriculum = key("in which order and how often they are drawn", before={"kind": "none"})
    rollout: RolloutConfig = key("how responses are sampled")
    reward: RewardConfig = key("how a response becomes a number")
    optimizer: OptimizerConfig = key("how a gradient becomes a step")
    trainer: TrainerConfig = key("how long, where, what is kept")
    parallel: ParallelConfig = key("how the work is shared out among processes", before=ONE_PROCESS)
    resume: ResumeConfig = key("whether a run folder is gone on with", before={"mode": "auto", "allow": []})
    recorder: RecorderConfig = key(
        "the flight recorder", before={"steps": [], "on_collapse": False, "on_nonfinite": False, "keep": 0}
    )
    stability: StabilityConfig = key("what is watched")
    evaluation: EvaluationScheduleConfig = key("when a run evaluates itself")
    logger: LoggerConfig = key("console and mirrors")
    algorithm: AlgorithmConfig = key("the pieces of the equation")
    sweep_objective: Name | None = key("the metric that an optimising sweeper is told", before="eval/pass@1")


class EvalConfig(CommandConfig):
    """conf/eval.yaml."""

    model: ModelConfig = key("which network")
    protocol: ProtocolConfig = key("how problems are asked")
    rollout: RolloutConfig = key("how responses are sampled")
    reward: RewardConfig = key("how answers are judged")
    logger: LoggerConfig = key("console and mirrors")
    evaluation: SuitesConfig = key("which suites")
    device: Device = key("auto, cpu, cuda, cuda:1, mps")
    threads: Threads = key("CPU threads; 0: torch's choice")
    path: PathName | None = key("the file of evaluation=jsonl")
    data_dir: PathName | None = key("a folder of local copies, SUITE.jsonl, read instead of the hub")
    grader: GraderConfig = key("who judges besides")
    decoding: DecodingConfig = key("how completions are drawn")
    dataset: EvaluationDefaultsConfig = key("what interpolations refer to; each suite has its own")
    sweep_objective: Name | None = key("of summary.json: suites.math500.avg.mean")


class SftConfig(CommandConfig):
    """conf/sft.yaml."""

    model: ModelConfig = key("which network to start from")
    adapter: Adapter = key("what trains: all weights or an adapter", before={"kind": "none", "lr_scale": 1.0})
    dataset: Dataset = key("what is learned: solutions, conversations, or the teacher of an embedded task")
    reward: RewardConfig = key("how answers are judged")
    rollout: RolloutConfig = key("how responses are sampled")
    device: Device = key("auto, cpu, cuda, cuda:1, mps")
    threads: Threads = key("CPU threads; 0: torch's choice")
    precision: Literal["float32", "bfloat16"] | Auto = key(
        "of forward and backward; auto: bfloat16 on a GPU, or a CPU with AMX, from 1e7 parameters on", before="auto"
    )
    resume: ResumeConfig = key("whether a folder is gone on with", before={"mode": "auto", "allow": []})
    steps: Count | Auto = key("updates; auto: as many as the epochs take, 900 of problems without end")
    epochs: Count = key("passes over data that are read, where steps is auto", before=1)
    rows: Rows | Auto = key("rows an update; auto: 32 of data that are read, 128 of generated ones")
    lr: Positive | Auto = key(
        "learning rate; auto: 2e-3 below 1e7 parameters, 1e-5 from there on, times adapter.lr_scale"
    )
    betas: Betas = key("of AdamW")
    weight_decay: NotNegative = key("of AdamW")
    clip_norm: Positive = key("largest norm of the gradient")
    warm_up: Whole | Auto = key("steps of linear rise; auto: a tenth of all, 50 at most")
    decay: Share = key("last share of the steps, over which the rate falls to 0")
    packing: bool | Auto = key(
        "rows end to end without padding; auto: where padding is more than a tenth", before=False
    )
    microbatch_tokens: Whole = key("positions, padding included, of one forward; 0: no bound", before=0)
    max_length: Count | None = key("tokens of a row, prompt and reply; null: the model's context", before=None)
    too_long: Literal["refuse", "skip"] = key("rows that are longer", before="refuse")
    append_answer: SomeWords | None = key("a text with {answer}, behind replies without a box", before=None)
    checkpoint_every: Whole = key("updates between two saved states; 0: only when a signal comes", before=0)
    problems: RowsOrNone = key("held-out problems of the evaluations before and after; 0: none")
    samples: Rows = key("responses a problem")


class VarianceConfig(CommandConfig):
    """conf/variance.yaml."""

    model: ModelConfig = key("which network")
    estimators: list[Name] = key(
        "algorithms; the first is the one the others are compared with, overrides of its own stand behind a name"
    )
    truth: Name = key("an unbiased algorithm")
    batches: Count = key("of each estimator")
    true_batches: Count = key("of the true gradient")
    warm_up: Whole = key("batches in which baselines and β learn before anything is measured")
    behaviour: PathName | None = key("a policy that samples for the estimators; null: the model itself", before=None)
    rollouts: Rows = key("of a batch, the same for all")
    shared: list[Name] = key("overrides of every session")


CONFIG_OF_COMMAND: dict[str, type[CommandConfig]] = {
    "train": TrainConfig,
    "eval": EvalConfig,
    "sft": SftConfig,
    "variance": VarianceConfig,
}
# What a config needs to be resolved by itself: `tvo variance` leaves the data set to each of its sessions.
STAND_INS: dict[str, dict[str, Any]] = {"variance": {"dataset": {"suffix": ""}}}
WHOLE = ("algorithm", "experiment")  # groups whose files change keys of the whole config
