"""Types and ranges of values, of which the declarations of conf/ are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

UNSET: Any = object()
OPTIONAL = None  # the default of a key that may be left out; never read, for the config is not changed by it


def _path_value_as_text(value: object) -> object:
    """Return a path as text: bytes that the locale cannot read are surrogates, which are no text but name a file."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value


class DeclaredKeys(BaseModel):
    """A mapping of conf/ whose every key is declared."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=(), defer_build=True)


def key(meaning: str, *, optional: bool = False, before: Any = UNSET) -> Any:
    """A key in one line: its meaning for a reader, whether a yaml may leave it out.

    `before`: what runs did that were recorded before the key existed; they are resumed and replayed with it.
    """
    extra = {} if before is UNSET else {"before": before}
    return Field(default=OPTIONAL if optional else ..., description=meaning, json_schema_extra=extra)


@dataclass(frozen=True)
class Mark:
    """What a type means to this program besides its range."""

    name: str


BUILT, FREE, ESCAPES = Mark("built"), Mark("free"), Mark("escapes")
BUILT_SHAPE = {"type": "object", "required": ["_target_"], "properties": {"_target_": {"type": "string"}}}

# Upper ends that only a slip of the finger meets; beyond them a run could not be held in memory, or never ended.
INT64 = 2**63  # of a seed: number() of training/streams hashes any, a checkpoint's JSON and torch hold 63 bits
MOST = 2**31 - 1  # of anything that is counted
ROWS = 1_000_000  # prompts, responses and updates of one batch; problems of one evaluation
TOKENS = 10_000_000  # of one response
THREADS = 4096  # threads or processes of one machine
DAY = 86_400  # seconds
LIMITS = (MOST, ROWS, TOKENS, THREADS, DAY)

Integer = Annotated[int, Field(ge=-INT64, lt=INT64)]
Whole = Annotated[int, Field(ge=0, le=MOST)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Rows = Annotated[int, Field(ge=1, le=ROWS)]
RowsOrNone = Annotated[int, Field(ge=0, le=ROWS)]
Tokens = Annotated[int, Field(ge=1, le=TOKENS)]
Threads = Annotated[int, Field(ge=0, le=THREADS)]
Seed = Annotated[int, Field(ge=0, lt=INT64)]
Real = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PositiveOrInf = Annotated[float, Field(gt=0)]  # .inf switches a limit off; NaN is not more than 0
NotNegativeOrInf = Annotated[float, Field(ge=0)]
AtLeastOne = Annotated[float, Field(ge=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0.01, le=DAY)]
Share = Annotated[float, Field(ge=0, le=1)]
SomeShare = Annotated[float, Field(gt=0, le=1)]
Confidence = Annotated[float, Field(gt=0, lt=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]  # the decay of a moving average
Betas = Annotated[list[Beta], Field(min_length=2, max_length=2)]

Name = Annotated[str, Field(min_length=1)]
Label = Name | int  # a name that may look like a number: run_name=3
PathName = Annotated[str, Field(min_length=1), BeforeValidator(_path_value_as_text)]  # a file or folder
PathLabel = PathName | int
Words = Annotated[str, ESCAPES]  # text for a model: \n and \t of a command line are a line break and a tab
SomeWords = Annotated[str, Field(min_length=1), ESCAPES]
Stops = list[SomeWords]
ADDRESS = r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$"  # no user, no password: a server's key stands in the environment
Addresses = Annotated[list[Annotated[str, Field(pattern=ADDRESS)]], Field(min_length=1)]
DEVICE = r"^(auto|cpu|mps|cuda(:\d{1,4})?)$"
Device = Annotated[str, Field(pattern=DEVICE)]

Built = Annotated[dict[str, Any], BUILT, WithJsonSchema(BUILT_SHAPE)]  # a node that the program builds
Free = Annotated[dict[str, Any], FREE]  # a map whose keys are somebody else's
OWN_CODE = r"^.+:[^\W\d][\w.]*$"
OwnCode = Annotated[str, Field(pattern=OWN_CODE)]  # FILE.py:NAME or package.module:NAME
ENTRY_SHAPE = {
    "type": "object",
    "required": ["call"],
    "properties": {
        "call": {"type": "string", "pattern": OWN_CODE, "description": "FILE.py:NAME or package.module:NAME"},
        "name": {"type": "string", "description": "of the metric reward/NAME; the function's own name"},
        "weight": {"type": "number", "description": "1.0 where it is left out; 0: only told"},
        "deadline": {"type": "number", "description": "seconds for a call; reward.deadline"},
    },
}
RewardFunction = Annotated[dict[str, Any], FREE, WithJsonSchema(ENTRY_SHAPE)]  # its other keys are handed on
