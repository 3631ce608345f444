"""docs/own-method.md tells every field of Tokens, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from tvo_cli.types import Tokens

PAGE = Path(__file__).parents[2] / "docs" / "own-method.md"


def test_the_table_of_tokens_has_each_field_in_order_and_says_which_may_be_none() -> None:
    part = PAGE.read_text(encoding="utf-8").partition("## What `tokens` holds")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", part, re.MULTILINE))
    assert list(told) == [one.name for one in fields(Tokens)]
    assert {name for name, shape in told.items() if "None" in shape} == {
        one.name for one in fields(Tokens) if "None" in str(one.type)
    }
