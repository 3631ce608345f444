"""The error for another rank that has ended or does not answer: no torch is imported."""

from __future__ import annotations

from tvo_cli.errors import UserError

GOES_ON = "The same command goes on from the last checkpoint."


class RankLost(UserError):
    """Another rank has ended, or does not answer."""

    def __init__(self, rank: object, problem: str, remedy: str = GOES_ON) -> None:
        super().__init__("rank", rank, problem, remedy)
