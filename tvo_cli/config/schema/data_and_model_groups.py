"""Declarations of the groups of data and model: data sets, mixtures, curricula, prompts, models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tvo_cli.config.schema.value_types import (
    Built,
    Count,
    DeclaredKeys,
    Free,
    Label,
    Name,
    OwnCode,
    PathName,
    Positive,
    Seed,
    Share,
    SomeWords,
    Stops,
    Tokens,
    Whole,
    Words,
    key,
)

Profile = Literal["math", "aime", "digits"]
Chosen = list[Label] | Label | None  # one name, or a list of names
Length = Annotated[int, Field(ge=1, le=1000)]  # of a task: operations, digits
Span = Length | Annotated[list[Length], Field(min_length=2, max_length=2)]
Term = Annotated[int, Field(ge=0, le=999)]
Summand = Term | Annotated[list[Term], Field(min_length=2, max_length=2)]


class ProblemsConfig(DeclaredKeys):
    """What every data set has."""

    name: Label = key("the data set's name")
    limit: Count | None = key("the first so many problems; null: all", optional=True)
    seed: Seed | None = key("of generated data; null: the run's", optional=True)
    max_tokens: Tokens = key("most tokens of a response")
    max_prompt_tokens: Count | None = key("problems with a longer prompt are left out; null: refused", optional=True)
    stop: Stops | None = key("texts that end a response", optional=True)
    template: Literal["plain", "chat"] | None = key("how it is asked; null: the model's way", optional=True)
    profile: Profile = key("how answers are judged where a problem does not say")
    suffix: Words = key("after the question")


class GeneratedProblemsConfig(ProblemsConfig):
    """A task of which the embedded model knows a noisy teacher."""

    hard_share: Share = key("of the table: entries on which the teacher errs often", optional=True)
    hard_error: Share = key("how often it errs there", optional=True)
    easy_error: Share = key("how often it errs elsewhere", optional=True)
    table_seed: Seed = key("of the teacher's misconceptions", optional=True)


class ArithmeticConfig(GeneratedProblemsConfig):
    """Operations modulo a number, without end."""

    kind: Literal["arithmetic"] = key("arithmetic")
    modulus: Annotated[int, Field(ge=2, le=1000)] = key("of every value", optional=True)
    operations: Span | None = key("a number, or [fewest, most]", optional=True)


class AdditionConfig(GeneratedProblemsConfig):
    """Addition from right to left with carry words, without end."""

    kind: Literal["addition"] = key("addition")
    digits: Span | None = key("a number, or [fewest, most]", optional=True)
    carry_hard_share: Share = key("the same for the carry", optional=True)
    carry_hard_error: Share = key("the same for the carry", optional=True)
    carry_easy_error: Share = key("the same for the carry", optional=True)


class ChainSumsConfig(ProblemsConfig):
    """Few-shot sums for pretrained models, without end."""

    kind: Literal["chain_sums"] = key("chain_sums")
    first: Summand | None = key("first summand: a number, or [least, greatest]", optional=True)
    further: Summand | None = key("each summand after it", optional=True)
    terms: Span | None = key("summands: a number, or [fewest, most]", optional=True)
    shots: Annotated[int, Field(ge=0, le=100)] = key("solved lines before the asked one", optional=True)


class ColumnsConfig(DeclaredKeys):
    """Which column holds what; null: guessed. A path into the row is a column: reward_model.ground_truth."""

    question: Name | None = key("the question's column", optional=True)
    answer: Name | None = key("the answer's column", optional=True)
    solution: Name | None = key("the worked solution's column", optional=True)
    id: Name | None = key("the id's column", optional=True)
    level: Name | None = key("the level's column", optional=True)
    subject: Name | None = key("the subject's column", optional=True)


class ReadProblemsConfig(ProblemsConfig):
    """Problems that are read from somewhere."""

    holdout: Whole | None = key("rows of the training split that are held out; null: a tenth", optional=True)
    columns: ColumnsConfig | None = key("which column holds what", optional=True)
    unanswered: Literal["error", "skip"] | None = key("rows without an answer", optional=True)
    answer_marker: SomeWords | None = key("the gold follows it in the answer column", optional=True)
    strip: list[SomeWords] | None = key("instructions around the question that are taken off", optional=True)
    scorer: Literal["", "math", "integer", "digits"] | OwnCode | None = key(
        '"": reward.profile decides; FILE.py:NAME: a function of your own', optional=True
    )
    levels: Chosen = key("only these", optional=True)
    subjects: Chosen = key("only these", optional=True)


class FileProblemsConfig(ReadProblemsConfig):
    """A file of one JSON object a line."""

    kind: Literal["jsonl"] = key("jsonl")
    path: PathName | None = key("the file")
    test_path: PathName | None = key("the file of the held-out problems; null: rows of `path`", optional=True)


class SplitsConfig(DeclaredKeys):
    """The hub's splits that serve as ours."""

    train: Name | None = key("the training split", optional=True)
    test: Name | None = key("the test split; null: rows of train are held out", optional=True)


class HubProblemsConfig(ReadProblemsConfig):
    """A data set of the Hugging Face hub, or a local folder in its layout."""

    kind: Literal["hub"] = key("hub")
    id: PathName | None = key("OWNER/NAME, or a folder")
    revision: Name | None = key("a commit, tag or branch", optional=True)
    configurations: list[Name] | None = key("null: the default one", optional=True)
    splits: SplitsConfig = key("the hub's splits that serve as ours")
    deduplicate: bool = key("keep the first of rows with the same question", optional=True)


class ReasoningGymConfig(ProblemsConfig):
    """Any task of reasoning_gym."""

    kind: Literal["reasoning_gym"] = key("reasoning_gym")
    task: Name = key("chain_sum, countdown …")
    size: Count = key("problems a split")
    options: Free | None = key("the task's own settings", optional=True)


class OwnProblemsConfig(ProblemsConfig):
    """Problems that a function of the user's makes."""

    kind: Literal["own"] = key("own")
    make: Built = key("a function (split, seed, *, settings) of a plugin, which returns rows")


SourceDataset = Annotated[
    ArithmeticConfig
    | AdditionConfig
    | ChainSumsConfig
    | FileProblemsConfig
    | HubProblemsConfig
    | ReasoningGymConfig
    | OwnProblemsConfig,
    Field(discriminator="kind"),
]


class MixtureConfig(DeclaredKeys):
    """Several data sets, each with a weight."""

    name: Label = key("the data set's name")
    kind: Literal["mixture"] = key("mixture")
    sources: dict[str, SourceDataset] = key("the data sets by a name of their own, each a whole dataset config")
    weights: dict[str, Positive] | None = key("of each source beside the others; 1 where none is stated")
    seed: Seed | None = key("of generated data whose source states none; null: the run's", optional=True)
    max_tokens: Tokens = key("most tokens of a response")
    stop: Stops | None = key("texts that end a response, of whichever source", optional=True)
    template: Literal["plain", "chat"] | None = key("how all are asked; null: the model's way", optional=True)
    profile: Profile = key("of no source: each has its own")
    suffix: Words | None = key("after every question; null: each source's own")


Dataset = Annotated[
    ArithmeticConfig
    | AdditionConfig
    | ChainSumsConfig
    | FileProblemsConfig
    | HubProblemsConfig
    | ReasoningGymConfig
    | OwnProblemsConfig
    | MixtureConfig,
    Field(discriminator="kind"),
]


class NoCurriculumConfig(DeclaredKeys):
    """Every problem once an epoch, in an order that is new in each."""

    kind: Literal["none"] = key("none")


class LevelStageConfig(DeclaredKeys):
    """Which levels are drawn from a step on."""

    step: Whole = key("rollout batches done when it begins; the first stage's is 0")
    levels: Annotated[list[Label], Field(min_length=1)] = key("the levels that are drawn")


class LevelCurriculumConfig(DeclaredKeys):
    """A schedule over levels."""

    kind: Literal["levels"] = key("levels")
    stages: Annotated[list[LevelStageConfig], Field(min_length=1)] = key(
        "curriculum.stages=[{step: 0, levels: [1, 2]}, {step: 100, levels: [3, 4, 5]}]"
    )


class PassRateCurriculumConfig(DeclaredKeys):
    """Problems in proportion to the variance of their rewards."""

    kind: Literal["pass_rate"] = key("pass_rate")
    prior: Annotated[list[Positive], Field(min_length=2, max_length=2)] = key(
        "a and b of the Beta prior of a pass rate"
    )
    memory: Share = key("what a problem's counts are multiplied by when it is drawn again")


Curriculum = Annotated[
    NoCurriculumConfig | LevelCurriculumConfig | PassRateCurriculumConfig, Field(discriminator="kind")
]


class PromptConfig(DeclaredKeys):
    """From a problem to the text that a model continues."""

    template: Literal["plain", "chat", "auto"] | None = key(
        "the question as it stands, or the tokenizer's chat template; auto: chat where there is one"
    )
    system: Words | None = key("the system message")
    suffix: Words | None = key("after the question")
    chat_template_kwargs: Free | None = key(
        "what the chat template reads besides: {enable_thinking: false}", optional=True
    )


class ModelConfig(DeclaredKeys):
    """Which network, from where."""

    name: Label = key("the model's name")
    path: PathName = key("model.path=FOLDER in hub format with safetensors, a run folder, or a hub id OWNER/NAME")
    checkpoint: Name = key("of a run folder given as model.path: last, best or step-000030", optional=True)
    base: PathName | None = key("of an adapter given as model.path: where its base is now", optional=True)
    revision: Name | None = key("a commit, tag or branch of a hub model")
    prompt: PromptConfig = key("how it is asked")
    dtype: Literal["auto", "float32", "bfloat16"] = key("of the weights; auto: bfloat16 for evaluation on a GPU")
    quantise: Literal["4bit"] | None = key("of the frozen weights under an adapter; null: not", before=None)
    attention: Literal["sdpa", "eager"] = key("whose attention")
    gradient_checkpointing: bool = key("less memory, slower")
    lr_scale: Positive = key("factor on every algorithm's recommended learning rate")
