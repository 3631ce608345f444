"""The keywords of what is built: their names are the callable's, their ranges stand here, by name.

A keyword means the same wherever it stands (docs/algorithms.md), so its range is declared once for all pieces. One
that is not named here is checked by the type that the callable's signature gives it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from tvo_cli.config.building import check_name
from tvo_cli.config.describing import conf_dir, nearest
from tvo_cli.config.schema.kinds import (
    AtLeastOne,
    Beta,
    Betas,
    Count,
    Integer,
    Name,
    NotNegative,
    NotNegativeOrInf,
    Positive,
    PositiveOrInf,
    Real,
    Rows,
    Share,
    SomeShare,
    Whole,
)
from tvo_cli.config.schema.phrases import adapter, expected, phrase, remedy, shown
from tvo_cli.config.schema.training import Reads
from tvo_cli.config.signatures import Keyword, keywords, public_names
from tvo_cli.errors import UserError

HYDRAS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
FLAG = {"_partial_": bool, "_recursive_": bool}
OF_THE_PROGRAM = {"optimizer.make": ("params", "lr")}  # given at the call: a value in a yaml would not be used
NUMBER = Annotated[float, Field()]

RANGES: dict[str, Any] = {
    # advantages
    **dict.fromkeys(("discount", "trace", "tail"), Share),
    "kl_coef": NotNegative,
    "within": NotNegative,
    "between": NotNegative,
    # surrogates, weights, penalties
    "low": NUMBER,
    "high": NUMBER,
    "dual": PositiveOrInf,
    "cap": PositiveOrInf,
    "delta": PositiveOrInf,
    "floor": NotNegative,
    **dict.fromkeys(("share", "quantile", "mass"), Share),
    "value": Real,
    "target": Annotated[float, Field(ge=0, allow_inf_nan=False)] | None,
    "rate": NotNegative,
    "anchor": NotNegative | None,
    "beta": Real,
    "decay": Beta,
    "clip_low": NotNegativeOrInf,
    "clip_high": NotNegativeOrInf,
    "potential": Literal["probability", "entropy"],
    "form": Literal["sampled", "exact"],
    "mode": Literal["exponential", "linear"],
    "length": Positive,
    "reads": Reads,
    # step rules, set-points, schedules
    "exponent": NotNegative,
    "initial": Positive,
    "maximum": PositiveOrInf,
    "minimum": Positive,
    "factor": AtLeastOne,
    "displacement": Positive,
    "start": NotNegative,
    "end": NotNegative,
    "warm_up": Whole,
    "hold": Share,
    "drop": SomeShare,
    "stiffness": NotNegative,
    "period": Positive,
    # sampling
    "size": Rows,
    "most": Rows,
    # collapse rules
    "severity": Literal["collapse", "warning"],
    "patience": Count,
    "window": Count,
    "warmup": Count,
    "smoothing": Beta,
    "metric": Name,
    "counter": Name,
    "prefixes": list[Name],
    "limit": NotNegativeOrInf,
    "rise": NotNegative,
    "solved": NotNegative,
    "absolute": NotNegative,
    "minimum_peak": NotNegative,
    "shortest": NotNegative,
    "longest": PositiveOrInf,
    # torch.optim
    "betas": Betas,
    "eps": NotNegative,
    "epsilon": NotNegative,
    "weight_decay": NotNegative,
    "momentum": NotNegative,
    "dampening": Real,
    "alpha": NotNegative,
    "rho": Share,
    "lr_decay": NotNegative,
    "momentum_decay": NotNegative,
}
BY_TYPE: dict[str, Any] = {"float": NUMBER, "int": Integer, "bool": bool, "str": Name}


OF_A_CALL = ("Tensor", "Tokens", "ParamsT")  # types of what the program gives at the call, never settings


class Foreign(NamedTuple):
    """What a wrong keyword is told with."""

    key: str
    target: str
    name: str
    known: Mapping[str, Keyword]


def check(path: str, node: Mapping[str, Any], typed: Collection[str] = ()) -> None:
    """Refuse a built node whose target, keywords or values cannot be: its own first, then what it holds.

    `typed`: the keys of the command line, which are nobody's leftover of another method.
    """
    target = node.get("_target_")
    if target is None:
        problem = f"is missing: {path} names nothing to build."
        raise UserError(f"{path}._target_", "", problem, f"Choose one: +{path}._target_=tvo_cli.…")
    check_name(f"{path}._target_", target)
    known = keywords(str(target))
    if known is None:
        module, _, name = str(target).rpartition(".")
        raise UserError(f"{path}._target_", target, "cannot be found.", nearest(name, public_names(module)))
    _flags(path, node)
    _names(path, node, str(target), known, typed)
    for name, value in _stated(node):
        _value(f"{path}.{name}", value, known[name].annotation, RANGES.get(name), typed)


def _stated(node: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((str(name), value) for name, value in node.items() if name not in HYDRAS)


def _flags(path: str, node: Mapping[str, Any]) -> None:
    for name, kind in FLAG.items():
        if name in node and not isinstance(node[name], kind):
            raise UserError(f"{path}.{name}", shown(node[name]), "must be true or false.")


def _names(
    path: str, node: Mapping[str, Any], target: str, known: Mapping[str, Keyword], typed: Collection[str]
) -> None:
    for name, value in _stated(node):
        if name in OF_THE_PROGRAM.get(path, ()):
            raise UserError(f"{path}.{name}", shown(value), "is given by the program.", "The rate is optimizer.lr.")
        if name not in known:
            raise _foreign(path, node, Foreign(f"{path}.{name}", target, name, known), typed)
        if known[name].annotation in OF_A_CALL:
            raise UserError(f"{path}.{name}", shown(value), "is given by the program.", f"Leave {name} out.")
    lacking = [name for name, keyword in known.items() if keyword.required and name not in node]
    if lacking and not node.get("_partial_") and "_args_" not in node:
        settable = [name for name in lacking if known[name].annotation not in OF_A_CALL]
        raise _lacking(path, target, settable[0], "…") if settable else _lacking(path, target, "_partial_", "true")


def _lacking(path: str, target: str, name: str, value: str) -> UserError:
    return UserError(f"{path}.{name}", "", f"is missing: {target} needs it.", f"Add it: +{path}.{name}={value}")


def _foreign(path: str, node: Mapping[str, Any], found: Foreign, typed: Collection[str]) -> UserError:
    """A slip of the finger, or what another method left in the piece."""
    near = nearest(found.name, _settable(found.known))
    if near.startswith("Nearest") or found.key in typed or found.name not in _of_methods():
        return UserError(found.key, shown(node[found.name]), f"{found.target} has no such keyword.", near)
    others = [name for name, _ in _stated(node) if name not in found.known]
    problem = f"does not take {', '.join(others)}: two methods fill this piece, and a piece holds one."
    remedy = f"Leave one of them out, or drop the other's keys: ~{found.key}"
    return UserError(f"{path}._target_", found.target, problem, remedy)


@cache
def _of_methods() -> frozenset[str]:
    """The keywords of every piece that an algorithm of conf/ has."""
    files = (conf_dir() / "algorithm").glob("*.yaml")
    texts = (file.read_text(encoding="utf-8") for file in files)
    found = {target for text in texts for target in re.findall(r"_target_: *([\w.]+)", text)}
    return frozenset(name for target in found for name in keywords(target) or ())


def _settable(known: Mapping[str, Keyword]) -> list[str]:
    return [name for name, keyword in known.items() if keyword.annotation not in OF_A_CALL]


def _value(path: str, value: Any, annotation: str, declared: Any, typed: Collection[str]) -> None:
    """A keyword's value: what is built in turn, a map of that, or a plain one."""
    if isinstance(value, Mapping) and "_target_" in value:
        check(path, value, typed)
    elif isinstance(value, Mapping) and declared is None and not _is_piece(annotation):
        for name, one in value.items():
            _value(f"{path}.{name}", one, _of_map(annotation), None, typed)
    elif declared is None and _is_piece(_of_map(annotation) or annotation) and not _may_lack(value, annotation):
        place = f"{path}.NAME" if _of_map(annotation) else path
        raise UserError(path, shown(value), "names nothing to build.", f"Choose one: {place}._target_=tvo_cli.…")
    else:
        _plain(path, value, annotation, declared)


def _of_map(annotation: str) -> str:
    """`Mapping[str, Force]` → `Force`; empty for anything else."""
    return annotation.removeprefix("Mapping[str, ").removesuffix("]") if annotation.startswith("Mapping[") else ""


def _is_piece(annotation: str) -> bool:
    """Whether a keyword holds what is built: its type is a class of ours, and no plain value."""
    kinds = [kind for kind in annotation.split(" | ") if kind != "None"]
    return bool(kinds) and all(kind.isidentifier() and kind[0].isupper() and kind != "Any" for kind in kinds)


def _may_lack(value: Any, annotation: str) -> bool:
    return value is None and "None" in annotation.split(" | ")


def _plain(path: str, value: Any, annotation: str, declared: Any) -> None:
    kinds = [BY_TYPE[one] for one in annotation.replace(" ", "").split("|") if one in BY_TYPE]
    if declared is None and not kinds:
        return
    kind = declared if declared is not None and _is_of(annotation, declared) else kinds[0] if kinds else Any
    if value is None and "None" in annotation.split(" "):
        return
    if isinstance(value, float) and math.isnan(value):
        raise UserError(path, "nan", f"must be {phrase(expected(kind))}.")
    try:
        adapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        schema = expected(kind)
        raise UserError(path, shown(value), f"must be {phrase(schema)}.", remedy(path, value, schema)) from error


def _is_of(annotation: str, declared: Any) -> bool:
    """Whether a range is one of this keyword: `estimator: str` is no estimator, Adafactor's eps is a pair."""
    schema = expected(declared)
    kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
    if not annotation:
        return True
    is_pair, is_number = "tuple" in annotation, "float" in annotation or "int" in annotation
    return is_pair == ("array" in kinds) if is_pair else is_number == bool(kinds & {"number", "integer"})
