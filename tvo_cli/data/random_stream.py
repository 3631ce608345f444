"""Random streams of the data: a pure function of their name, the same on every machine and rank; no torch."""

from __future__ import annotations

import hashlib
import random

HELD_OUT_PART = 8  # one question in eight belongs to the test split of a generated data set


def random_stream(*name: object) -> random.Random:
    """Return a random generator seeded by the parts of `name` alone (never by Python's salted `hash`)."""
    return random.Random(stable_hash(*name))


def stable_hash(*name: object) -> int:
    """Return a 64-bit integer that depends on the printed parts of `name` and on nothing else."""
    text = "\x1f".join(map(str, name))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def split_of_question(question: str) -> str:
    """Return the split of a generated question: by its text, so train and test never share a question."""
    return "train" if stable_hash("split", question) % HELD_OUT_PART else "test"
