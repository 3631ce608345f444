"""The settings of a grader, from the reward node of a config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.reward.answer_extraction import extract_stated_answer, take_whole_answer

PROFILES = {"math": "math", "aime": "integer", "digits": "digits"}
UNFINISHED = ("wrong", "graded")
UNBOXED = {"wrong": None, "stated": extract_stated_answer, "whole": take_whole_answer}


@dataclass(frozen=True, slots=True)
class GraderSettings:
    """How to grade. The defaults are those of conf/reward/math.yaml."""

    profile: str = "math"
    unfinished: str = "wrong"
    unboxed: str = "wrong"  # a response without a box: wrong; stated: after "answer is", ####; whole: all of it
    audit: bool = False  # ask the second grader too
    workers: int = 0  # 0: one a processor, at most eight
    deadline: float = 5.0  # seconds a row
    cap_bytes: int = 65536
    memory_mb: int = 1024
    scorer: str = ""  # a function of the user's own that judges every response
    isolated: bool = True  # own scorers run in processes of their own
    on_error: str = "stop"  # when one fails; or count

    def __post_init__(self) -> None:
        for key, offered in (("profile", tuple(PROFILES)), ("unfinished", UNFINISHED), ("unboxed", tuple(UNBOXED))):
            if getattr(self, key) not in offered:
                raise UserError(f"reward.{key}", getattr(self, key), "not a choice.", f"Choose {', '.join(offered)}.")
        least = {"workers": 0, "deadline": 0.01, "cap_bytes": 256, "memory_mb": 256}
        for key, limit in least.items():
            if getattr(self, key) < limit:
                raise UserError(f"reward.{key}", getattr(self, key), f"must be at least {limit}.")

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> GraderSettings:
        """From the reward node; what it does not name keeps its default."""
        kinds = {
            "profile": str,
            "unfinished": str,
            "unboxed": str,
            "audit": bool,
            "deadline": float,
            "workers": int,
            "cap_bytes": int,
            "memory_mb": int,
            "scorer": str,
            "isolated": bool,
            "on_error": str,
        }
        return cls(**{key: kind(node[key]) for key, kind in kinds.items() if node.get(key) is not None})
