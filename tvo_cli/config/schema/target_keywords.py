"""Checks of the keywords of a `_target_`: their names are the callable's, their ranges stand here, by name.

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

from tvo_cli.config.groups import conf_dir
from tvo_cli.config.instantiation import check_target_name
from tvo_cli.config.schema.json_schema import json_schema_adapter, json_schema_of_type
from tvo_cli.config.schema.partial_targets import check_partial, missing_keyword_error
from tvo_cli.config.schema.training_groups import ObjectiveReadsConfig
from tvo_cli.config.schema.value_descriptions import describe_value, describe_value_as_override, how_to_write_value
from tvo_cli.config.schema.value_types import (
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
from tvo_cli.config.target_signatures import (
    Keyword,
    callable_keywords,
    is_built_type,
    public_names_of_module,
    split_target,
    type_of_mapping_values,
)
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import nearest_names
from tvo_cli.plugins.own_targets import plugin_of_target

HYDRA_KEYWORDS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
FLAG = {"_partial_": bool, "_recursive_": bool}
OF_THE_PROGRAM = {"optimizer.make": ("params", "lr"), "dataset.make": ("split", "seed")}  # given at the call
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
    "reads": ObjectiveReadsConfig,
    "depth": SomeShare,
    "temperature": PositiveOrInf,
    # step rules, set-points, schedules
    "exponent": NotNegative,
    "initial": Positive,
    "maximum": PositiveOrInf,
    "minimum": Positive,
    "unit": PositiveOrInf | None,
    "factor": AtLeastOne,
    "displacement": Positive,
    "start": NotNegative,
    "end": NotNegative,
    **dict.fromkeys(("warm_up", "steps", "tolerance"), Whole),
    "hold": Share,
    "drop": SomeShare,
    "stiffness": NotNegative,
    "period": Positive,
    # sampling
    "size": Rows,
    "most": Rows,
    # collapse rules
    "severity": Literal["collapse", "warning"],
    **dict.fromkeys(("patience", "window", "baselines"), Count),
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


class UnknownKeyword(NamedTuple):
    """A keyword that the `_target_` does not take."""

    key: str
    target: str
    name: str
    known: Mapping[str, Keyword]


def check_target_keywords(path: str, node: Mapping[str, Any], typed: Collection[str] = ()) -> None:
    """Refuse a built node whose `_target_`, keywords or values are wrong: its own first, then what it holds.

    `typed`: the keys of the command line, which are nobody's leftover of another method.
    """
    target = node.get("_target_")
    if target is None:
        problem = f"is missing: {path} names nothing to build."
        raise UserError(f"{path}._target_", "", problem, f"Choose one: +{path}._target_=tvo_cli.…")
    check_target_name(f"{path}._target_", target)
    known = callable_keywords(str(target))
    if known is None:
        module, name = split_target(str(target))
        raise UserError(
            f"{path}._target_", target, "cannot be found.", nearest_names(name, public_names_of_module(module))
        )
    _check_hydra_keywords(path, node)
    _check_keyword_names(path, node, str(target), known, typed)
    ranges = RANGES if plugin_of_target(target) is None else {}  # a name of the user's may mean something else
    for name, value in _stated_keywords(node):
        _check_keyword_value(f"{path}.{name}", value, known[name].annotation, ranges.get(name), typed)


def _stated_keywords(node: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a node's keywords without Hydra's own."""
    return ((str(name), value) for name, value in node.items() if name not in HYDRA_KEYWORDS)


def _check_hydra_keywords(path: str, node: Mapping[str, Any]) -> None:
    """Refuse `_partial_` and `_recursive_` that are neither true nor false."""
    for name, kind in FLAG.items():
        if name in node and not isinstance(node[name], kind):
            raise UserError(f"{path}.{name}", describe_value_as_override(node[name]), "must be true or false.")


def _check_keyword_names(
    path: str, node: Mapping[str, Any], target: str, known: Mapping[str, Keyword], typed: Collection[str]
) -> None:
    """Refuse keywords that the callable does not take, and required ones that are missing."""
    given = OF_THE_PROGRAM.get("dataset.make" if path.startswith("dataset.") else path, ())
    for name, value in _stated_keywords(node):
        if name in given:
            remedy = "The rate is optimizer.lr." if name == "lr" else f"Leave {name} out."
            raise UserError(f"{path}.{name}", describe_value_as_override(value), "is given by the program.", remedy)
        if name not in known:
            raise _unknown_keyword_error(path, node, UnknownKeyword(f"{path}.{name}", target, name, known), typed)
        if known[name].annotation in OF_A_CALL:
            raise UserError(
                f"{path}.{name}", describe_value_as_override(value), "is given by the program.", f"Leave {name} out."
            )
    check_partial(path, node, target)
    called = given if path.startswith("dataset.") else ()  # the others are built without a call: a partial
    lacking = [name for name, one in known.items() if one.required and name not in node and name not in called]
    if lacking and not node.get("_partial_") and "_args_" not in node:
        settable = [name for name in lacking if known[name].annotation not in OF_A_CALL]
        raise (
            missing_keyword_error(path, target, settable[0])
            if settable
            else missing_keyword_error(path, target, "_partial_", "true")
        )


def _unknown_keyword_error(
    path: str, node: Mapping[str, Any], found: UnknownKeyword, typed: Collection[str]
) -> UserError:
    """Return the refusal of an unknown keyword: mistyped, or left over from another method."""
    near = nearest_names(found.name, _settable_keywords(found.known))
    if near.startswith("Nearest") or found.key in typed or found.name not in _target_keywords_of_algorithms():
        if found.key == "optimizer.make.betas" and found.key not in typed:  # of a recipe of first order
            near = f"The algorithm's recipe sets it. Drop it: ~{found.key}; SGD has no momentum unless it is given one."
        value = describe_value_as_override(node[found.name])
        return UserError(found.key, value, f"{found.target} has no such keyword.", near)
    others = [name for name, _ in _stated_keywords(node) if name not in found.known]
    problem = f"does not take {', '.join(others)}: two methods fill this piece, and a piece holds one."
    remedy = f"Leave one of them out, or drop the other's keys: ~{found.key}"
    emptied = f"_no_{path.rpartition('.')[2]}"
    if path.startswith("algorithm.") and (conf_dir() / "algorithm" / f"{emptied}.yaml").is_file():
        remedy += f"; in a yaml of your own: defaults: [START, {emptied}, _self_]"
    return UserError(f"{path}._target_", found.target, problem, remedy)


@cache
def _target_keywords_of_algorithms() -> frozenset[str]:
    """Return the keywords of every `_target_` in conf/algorithm."""
    files = (conf_dir() / "algorithm").glob("*.yaml")
    texts = (file.read_text(encoding="utf-8") for file in files)
    found = {target for text in texts for target in re.findall(r"_target_: *([\w.]+)", text)}
    return frozenset(name for target in found for name in callable_keywords(target) or ())


def _settable_keywords(known: Mapping[str, Keyword]) -> list[str]:
    """Return the keywords that a yaml may set."""
    return [name for name, keyword in known.items() if keyword.annotation not in OF_A_CALL]


def _check_keyword_value(path: str, value: Any, annotation: str, declared: Any, typed: Collection[str]) -> None:
    """Check a keyword's value: what is built in turn, a map of that, or a plain one."""
    if isinstance(value, Mapping) and "_target_" in value:
        check_target_keywords(path, value, typed)
    elif isinstance(value, Mapping) and declared is None and not is_built_type(annotation):
        for name, one in value.items():
            _check_keyword_value(f"{path}.{name}", one, type_of_mapping_values(annotation), None, typed)
    elif (
        declared is None
        and is_built_type(type_of_mapping_values(annotation) or annotation)
        and not _may_be_null(value, annotation)
    ):
        place = f"{path}.NAME" if type_of_mapping_values(annotation) else path
        remedy = f"Choose one: {place}._target_=tvo_cli.…"
        raise UserError(path, describe_value_as_override(value), "names nothing to build.", remedy)
    else:
        _check_plain_keyword(path, value, annotation, declared)


def _may_be_null(value: Any, annotation: str) -> bool:
    return value is None and "None" in annotation.split(" | ")


def _check_plain_keyword(path: str, value: Any, annotation: str, declared: Any) -> None:
    """Refuse a plain value outside the keyword's type and range."""
    kinds = [BY_TYPE[one] for one in annotation.replace(" ", "").split("|") if one in BY_TYPE]
    if declared is None and not kinds:
        return
    kind = (
        declared if declared is not None and _range_fits_keyword(annotation, declared) else kinds[0] if kinds else Any
    )
    if value is None and "None" in annotation.split(" "):
        return
    if isinstance(value, float) and math.isnan(value):
        raise UserError(path, "nan", f"must be {describe_value(json_schema_of_type(kind))}.")
    try:
        json_schema_adapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        schema = json_schema_of_type(kind)
        raise UserError(
            path,
            describe_value_as_override(value),
            f"must be {describe_value(schema)}.",
            how_to_write_value(path, value, schema),
        ) from error


def _range_fits_keyword(annotation: str, declared: Any) -> bool:
    """Return whether a range is of this keyword: `estimator: str` is no estimator, Adafactor's eps is a pair."""
    schema = json_schema_of_type(declared)
    kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
    if not annotation:
        return True
    is_pair, is_number = "tuple" in annotation, "float" in annotation or "int" in annotation
    return is_pair == ("array" in kinds) if is_pair else is_number == bool(kinds & {"number", "integer"})
