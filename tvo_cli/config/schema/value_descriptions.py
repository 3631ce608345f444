"""Descriptions of what a key may hold, for errors: from the same declaration that checks it."""

from __future__ import annotations

import json
import math
from typing import Any

from tvo_cli.config.schema.value_types import ADDRESS, DEVICE, INT64, LIMITS

PATTERNS = {DEVICE: "auto, cpu, mps, cuda or cuda:1", ADDRESS: "an address as http://localhost:8000"}
KINDS = {"integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false"}


def describe_value(schema: dict[str, Any]) -> str:
    """Describe the values that a schema takes: `a whole number, more than 0`."""
    if "$ref" in schema or "oneOf" in schema or "properties" in schema:
        return "a group of settings"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(describe_value, schema["anyOf"])))
    if choices_of_value(schema):
        return " or ".join(choices_of_value(schema))
    return _describe_scalar(schema)


def _describe_scalar(schema: dict[str, Any]) -> str:
    """Describe the single values that a schema takes."""
    kind = schema.get("type", "")
    if kind == "null":
        return "null"
    if kind == "array":
        return _describe_list(schema)
    if kind == "object":
        return "a group of settings"
    if schema.get("pattern") in PATTERNS:
        return PATTERNS[schema["pattern"]]
    if kind == "string" and schema.get("minLength"):
        return "a text that is not empty"
    return KINDS.get(kind, "something else") + _describe_range(schema)


def choices_of_value(schema: dict[str, Any]) -> list[str]:
    """Return the words that a key may hold, where it holds words only."""
    found = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [describe_value_as_override(one) if one != "" else '""' for one in found]


def _describe_list(schema: dict[str, Any]) -> str:
    """Describe the lists that a schema takes."""
    inner = describe_value(schema.get("items", {}))
    plural = inner.replace("a whole number", "whole numbers").replace("a number", "numbers").replace("a text", "texts")
    plural = plural.replace("a group of", "groups of")
    plural = plural.replace("texts that is not", "texts that are not").replace("an address", "addresses")
    many = {2: "two "}.get(schema.get("minItems", 0), "") if schema.get("minItems") == schema.get("maxItems") else ""
    return f"a list of {many}{plural}"


def _describe_range(schema: dict[str, Any]) -> str:
    """Describe the range of a number."""
    above, least = schema.get("exclusiveMinimum"), schema.get("minimum")
    below, most = schema.get("exclusiveMaximum"), schema.get("maximum")
    most = None if most in LIMITS else most  # nobody meets it who did not slip: told by `how_to_write_value`
    if (above is not None or least is not None) and (below is not None or most is not None):
        if below == INT64:
            return ", from 0 to 2**63 - 1"
        left = f"({above:g}" if above is not None else f"[{least:g}"
        return f" in {left}, " + (f"{below:g})" if below is not None else f"{most:g}]")
    if least is not None and (least != 1 or schema.get("type") != "integer"):
        return f", at least {least:g}"
    return ", more than 0" if least == 1 or above == 0 else ""


def describe_value_as_override(value: Any) -> str:
    """Return a value as it is written in an override: null, true, [1,2]."""
    if value is None or isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def how_to_write_value(key: str, value: Any, schema: dict[str, Any]) -> str:
    """Return how a wrongly written value is written."""
    kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
    largest = max(_limits_left_out(schema), default=math.inf)
    if any(one > largest for one in _numbers_in_value_description(value)):
        return f"At most {int(largest) if largest == int(largest) else largest}."
    if isinstance(value, str) and kinds & {"integer", "number"} and _described_number(value) is not None:
        return f"It is a text; without quotes it is a number: {key}={value}"
    if isinstance(value, str) and value.lstrip("+-") == ".inf" and "number" in kinds:
        return f"Hydra writes it without the dot: {key}={value.replace('.', '')}"
    if isinstance(value, float) and "integer" in kinds and value.is_integer():
        return f"Write {key}={int(value)}"
    if _is_list_of_texts(schema) and isinstance(value, int | float):
        return f"For a text that looks like a number, quote it twice: \"{key}='{describe_value_as_override(value)}'\""
    if entries := _as_entries_of_list(value, schema) if "array" in kinds else None:
        return f"Write '{key}=[{entries}]'"
    if "string" in kinds and not kinds & {"integer", "number"} and isinstance(value, int | float):
        return f"For a text that looks like a number, quote it twice: \"{key}='{describe_value_as_override(value)}'\""
    return "For none: []" if "array" in kinds and value in ("", [""]) else ""


def _as_entries_of_list(value: Any, schema: dict[str, Any]) -> str | None:
    """Return a value as the entries of the list that it stands for: 3, or for `lib.py:f` `{call: lib.py:f}`."""
    if value is not None and not isinstance(value, str | list | dict):
        return describe_value_as_override(value)
    needed = schema.get("items", {}).get("required", ())
    texts = [value] if isinstance(value, str) else value
    if len(needed) != 1 or not isinstance(texts, list) or not texts or not all(isinstance(t, str) and t for t in texts):
        return None
    return ", ".join(f"{{{needed[0]}: {text}}}" for text in texts)


def _limits_left_out(schema: dict[str, Any]) -> list[int]:
    """Return the upper limits that `describe_value` leaves out."""
    inside = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    own = [schema["maximum"]] if schema.get("maximum") in LIMITS else []
    return [*own, *(one for below in inside for one in _limits_left_out(below))]


def _numbers_in_value_description(value: Any) -> list[int | float]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int | float)]


def _is_list_of_texts(schema: dict[str, Any]) -> bool:
    """Return whether the description of a value says that it is a list of texts, for which a lone text may stand."""
    lists = [one for one in schema.get("anyOf", [schema]) if one.get("type") == "array"]
    return any(one.get("items", {}).get("type") == "string" for one in lists)


def _described_number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
