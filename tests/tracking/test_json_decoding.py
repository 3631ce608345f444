"""Decoding of JSON: the same values, and the same refusals, as json's."""

from __future__ import annotations

import json
import math
import random
import struct

import pytest

from tvo_cli.tracking.json_decoding import decode_json


def test_every_number_is_the_one_that_json_reads() -> None:
    rng = random.Random(0)
    for _ in range(3000):
        number = struct.unpack("d", rng.randbytes(8))[0]
        for text in (repr(number), f"{number:.17e}", f"{number:.30g}") if math.isfinite(number) else ():
            found = decode_json(text)
            assert found == json.loads(text) and type(found) is type(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-Infinity",
        "1e999",
        "1" * 400,
        "-0",
        "-0.0",
        '{"a": 1, "a": 2}',
        '"\\ud800"',
        "[" * 400 + "]" * 400,
        "[true, null]",
    ],
)
def test_what_json_reads_is_read_as_json_reads_it(text: str) -> None:
    assert repr(decode_json(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "{", "nan", "01", "1.", "[1,]", '{"a": 1} x', '{"a": tru}', "'a'"])
def test_what_json_refuses_is_refused_in_its_words(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        decode_json(text)


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        decode_json("[" * 100_000)
