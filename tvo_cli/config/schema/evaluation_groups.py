"""Declarations of evaluation's groups: protocols and suites, and a run's own evaluation with its test sets."""

from __future__ import annotations

from typing import Literal

from tvo_cli.config.schema.data_and_model_groups import Profile, SourceDataset
from tvo_cli.config.schema.value_types import (
    Confidence,
    Count,
    DeclaredKeys,
    Free,
    Label,
    Name,
    NotNegative,
    PathName,
    Positive,
    PositiveOrInf,
    Rows,
    RowsOrNone,
    Seed,
    SomeShare,
    SomeWords,
    Stops,
    Tokens,
    Whole,
    Words,
    key,
)


class TestSetConfig(DeclaredKeys):
    """Other problems that a run is evaluated on; null: as its own."""

    __test__ = False

    dataset: SourceDataset = key("whose test split")
    every: Whole | None = key("batches between evaluations; 0: only at the start and the end", optional=True)
    problems: Rows | None = key("how many, at most", optional=True)
    samples: Rows | None = key("responses a problem", optional=True)
    temperature: NotNegative | None = key("of sampling; 0 is greedy", optional=True)
    max_tokens: Tokens | None = key("most tokens of a response; null: the data set's own", optional=True)


class EvaluationScheduleConfig(DeclaredKeys):
    """When a run evaluates itself, and how."""

    every: Whole = key("batches between evaluations; 0: only at the start and the end")
    at_start: bool = key("evaluate before the first batch")
    problems: RowsOrNone = key("held-out problems; 0: no evaluation")
    samples: Rows = key("responses a problem")
    temperature: NotNegative = key("of sampling; 0 is greedy")
    max_tokens: Tokens = key("most tokens of a response")
    confidence: Confidence = key("of the intervals: 0.95")
    seed: Seed = key("of problems and samples")
    test_sets: dict[str, TestSetConfig] | None = key("further test sets, by name", before=None)
    best: Name | None = key("the test set by which a checkpoint is the best; null: the run's own", before=None)


class DecodingConfig(DeclaredKeys):
    """How completions are drawn; null: what the suite or its protocol says."""

    samples: Rows | None = key("completions a problem", optional=True)
    temperature: NotNegative | None = key("0 is greedy", optional=True)
    top_p: SomeShare | None = key("nucleus; 1 is off", optional=True)
    top_k: Whole | None = key("0 is off", optional=True)
    greedy: bool | None = key("one greedy completion besides the samples", optional=True)


class FewShotConfig(DeclaredKeys):
    """Worked examples before the prompt."""

    dataset: Name = key("of conf/dataset")
    split: Literal["train", "test"] = key("of the data set")
    questions: list[Name] = key("sha256 of the questions")
    form: SomeWords = key("how an example is written")


class Switch(DeclaredKeys):
    """A small model that writes where it is certain, beside the evaluated one."""

    small: PathName = key("the small model, of the same vocabulary")
    threshold: NotNegative = key("mean entropy in bits above which the evaluated model writes")
    window: Count = key("tokens of that mean")
    least: Count = key("tokens between two switches")


class StrategyConfig(DeclaredKeys):
    """How a problem is asked and its answer judged."""

    name: Label | None = key("the protocol's name")
    template: Literal["plain", "chat", "auto"] | None = key(
        "the prompt as it stands, or the chat template; auto: chat where there is one"
    )
    system: Words | None = key("the system message")
    prompt: SomeWords | None = key("with {question} in it; {level} and {subject} may stand there too")
    suffix: Words | None = key("after the prompt; null: the data set's own")
    chat_template_kwargs: Free | None = key("of the chat template; null: the model's", optional=True)
    shots: FewShotConfig | None = key("worked examples before the prompt")
    answer: Literal["boxed", "minerva", "tagged"] | None = key("where the answer stands")
    unfinished: Literal["wrong", "graded"] | None = key("a response cut off by the limit")
    stop: Stops | None = key("texts that end a response")
    max_tokens: Tokens | None = key("of a response; null: the data set's own")
    token_share: SomeShare | None = key("of max_tokens that a response may have", optional=True)
    decoding: DecodingConfig = key("recommended by the protocol's authors")


class AdaptConfig(DeclaredKeys):
    """A probe that gives each problem one of three strategies; the protocol itself is the normal one."""

    probe: PathName | None = key("folder of an evaluation whose probe is taken; null: trained first")
    dataset: Name | None = key("of conf/dataset, whose training problems are labelled; null: each suite's own")
    problems: Count = key("training problems that are labelled, of each suite")
    samples: Count = key("responses to each of them")
    normal_accuracy: NotNegative = key("α, least share of right answers of a normal question")
    normal_entropy: PositiveOrInf = key("β, its largest mean token entropy, nats")
    hard_accuracy: NotNegative = key("γ, a lower share is hard; else a question is easy")
    width: Count = key("of the probe's hidden layer")
    epochs: Count = key("of its training")
    lr: Positive = key("of its training, by AdamW")
    easy: StrategyConfig = key("what an easy question is given")
    hard: StrategyConfig = key("what a hard question is given")


class ProtocolConfig(StrategyConfig):
    """Everything that decides a score besides the model and the problems."""

    switch: Switch | None = key("decode with a small model beside this one", optional=True)
    adapt: AdaptConfig | None = key("a strategy for each problem", optional=True)


class SuiteConfig(DeclaredKeys):
    """Problems under a protocol."""

    dataset: SourceDataset = key("the problems")
    protocol: ProtocolConfig = key("how they are asked")
    problems: Count | None = key("how many; null: all", optional=True)
    decoding: DecodingConfig | None = key("of this suite", optional=True)


class SuitesConfig(DeclaredKeys):
    """What `tvo eval` asks."""

    suites: dict[str, SuiteConfig] = key("the chosen suites, by name")
    seed: Seed = key("of problems and samples")
    confidence: Confidence = key("of the intervals: 0.95")
    pass_at: list[Count] | None = key("the k of pass@k; null: 1, 2, 4 … up to the number of samples")
    limit: Count | None = key("the first so many problems of each suite")
    ids: list[Label] | None = key("only these problems")
    predict_only: bool = key("write completions, grade nothing")
    base: PathName | None = key("the evaluation folder of a base model")


class GraderConfig(DeclaredKeys):
    """Who judges besides."""

    audit: bool = key("ask a second grader too")


class EvaluationDefaultsConfig(DeclaredKeys):
    """What interpolations of the other groups refer to; each suite has its own."""

    suffix: Words | None = key("after the question; null: each suite's own")
    profile: Profile = key("how answers are judged")
    max_tokens: Tokens = key("most tokens of a response")
