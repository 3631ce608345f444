r"""Congruences: x \equiv 3 \pmod 7 is x \equiv 10 \pmod{7}."""

from __future__ import annotations

import re
from typing import NamedTuple

FORM = re.compile(
    r"(?:([A-Za-z](?:_\{\w+\})?)(?:\\equiv|=) ?)?(-?\d+)(?:\\pmod\{(\d+)\}|\(?(?:\\text\{mod\}|\\mod)\s?(\d+)\)?)",
    re.ASCII,
)
LONGEST = 400


class Congruence(NamedTuple):
    """The name, the residue and the modulus."""

    name: str
    residue: int
    modulus: int


def read_congruence(text: str) -> Congruence | None:
    """A residue modulo a number; None for anything else."""
    found = FORM.fullmatch(text) if len(text) < LONGEST else None
    if found is None or int(found[3] or found[4]) == 0:
        return None
    modulus = int(found[3] or found[4])
    return Congruence(found[1] or "", int(found[2]) % modulus, modulus)


def same_congruence(gold: Congruence, answer: Congruence) -> bool:
    """One class of one modulus; the name may be left out."""
    return gold[1:] == answer[1:] and (gold.name == answer.name or "" in (gold.name, answer.name))
