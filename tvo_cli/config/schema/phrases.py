"""What a key may hold, in words: from the same declaration that checks it."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from tvo_cli.config.schema.kinds import DEVICE, INT64, LIMITS

PATTERNS = {DEVICE: "auto, cpu, mps, cuda or cuda:1"}
KINDS = {"integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false"}


_ADAPTERS: dict[int, tuple[Any, TypeAdapter[Any]]] = {}  # with the type itself, so that no other takes its id
_SCHEMAS: dict[int, tuple[Any, dict[str, Any]]] = {}


def adapter(kind: Any) -> TypeAdapter[Any]:
    """What validates a type; pydantic takes milliseconds to build one, and a type of ours may not be hashable."""
    if id(kind) not in _ADAPTERS:
        _ADAPTERS[id(kind)] = (kind, TypeAdapter(kind))
    return _ADAPTERS[id(kind)][1]


def expected(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type."""
    if id(kind) not in _SCHEMAS:
        _SCHEMAS[id(kind)] = (kind, adapter(kind).json_schema())
    return _SCHEMAS[id(kind)][1]


def of_key(field: FieldInfo) -> dict[str, Any]:
    """The JSON schema of a key's value."""
    if not field.metadata:
        return expected(field.annotation)
    kind: Any = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(kind).json_schema()


def phrase(schema: dict[str, Any]) -> str:
    """`a whole number, more than 0`; `auto or a whole number, at least 0`."""
    if "$ref" in schema or "oneOf" in schema or "properties" in schema:
        return "a group of settings"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(phrase, schema["anyOf"])))
    if choices(schema):
        return " or ".join(choices(schema))
    return _simple(schema)


def _simple(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "")
    if kind == "null":
        return "null"
    if kind == "array":
        return _list(schema)
    if kind == "object":
        return "a group of settings"
    if schema.get("pattern") in PATTERNS:
        return PATTERNS[schema["pattern"]]
    if kind == "string" and schema.get("minLength"):
        return "a text that is not empty"
    return KINDS.get(kind, "something else") + _range(schema)


def choices(schema: dict[str, Any]) -> list[str]:
    """The words that a key may hold, where it holds words only."""
    found = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [shown(one) if one != "" else '""' for one in found]


def _list(schema: dict[str, Any]) -> str:
    inner = phrase(schema.get("items", {}))
    plural = inner.replace("a whole number", "whole numbers").replace("a number", "numbers").replace("a text", "texts")
    plural = plural.replace("texts that is not", "texts that are not")
    many = {2: "two "}.get(schema.get("minItems", 0), "") if schema.get("minItems") == schema.get("maxItems") else ""
    return f"a list of {many}{plural}"


def _range(schema: dict[str, Any]) -> str:
    above, least = schema.get("exclusiveMinimum"), schema.get("minimum")
    below, most = schema.get("exclusiveMaximum"), schema.get("maximum")
    most = None if most in LIMITS else most  # nobody meets it who did not slip: told by `remedy`
    if (above is not None or least is not None) and (below is not None or most is not None):
        if below == INT64:
            return ", from 0 to 2**63 - 1"
        left = f"({above:g}" if above is not None else f"[{least:g}"
        return f" in {left}, " + (f"{below:g})" if below is not None else f"{most:g}]")
    if least is not None and (least != 1 or schema.get("type") != "integer"):
        return f", at least {least:g}"
    return ", more than 0" if least == 1 or above == 0 else ""


def shown(value: Any) -> str:
    """A value as it is written in an override: null, true, [1,2]."""
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def remedy(key: str, value: Any, schema: dict[str, Any]) -> str:
    """How the value is written, where it is only written wrongly."""
    kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
    largest = max(_limits(schema), default=math.inf)
    if any(one > largest for one in _numbers(value)):
        return f"At most {largest}."
    if isinstance(value, str) and kinds & {"integer", "number"} and _number(value) is not None:
        return f"It is a text; without quotes it is a number: {key}={value}"
    if isinstance(value, str) and value.lstrip("+-") == ".inf" and "number" in kinds:
        return f"Hydra writes it without the dot: {key}={value.replace('.', '')}"
    if isinstance(value, float) and "integer" in kinds and value.is_integer():
        return f"Write {key}={int(value)}"
    if _holds_texts(schema) and isinstance(value, int | float):
        return f"For a text that looks like a number, quote it twice: \"{key}='{shown(value)}'\""
    if "array" in kinds and value is not None and not isinstance(value, str | list | dict):
        return f"Write '{key}=[{shown(value)}]'"
    if "string" in kinds and isinstance(value, int | float):
        return f"For a text that looks like a number, quote it twice: \"{key}='{shown(value)}'\""
    return "For none: []" if "array" in kinds and value in ("", [""]) else ""


def _limits(schema: dict[str, Any]) -> list[int]:
    """The upper ends that `phrase` leaves out."""
    inside = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    own = [schema["maximum"]] if schema.get("maximum") in LIMITS else []
    return [*own, *(one for below in inside for one in _limits(below))]


def _numbers(value: Any) -> list[int | float]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int | float)]


def _holds_texts(schema: dict[str, Any]) -> bool:
    """Whether it is a list of texts, for which a lone text may stand."""
    lists = [one for one in schema.get("anyOf", [schema]) if one.get("type") == "array"]
    return any(one.get("items", {}).get("type") == "string" for one in lists)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
