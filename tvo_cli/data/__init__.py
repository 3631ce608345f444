"""Data sets: problems by the kind of a dataset node, what draws them, their prompts and fingerprints."""

from tvo_cli.data.curriculum import build_cursor, check_curriculum
from tvo_cli.data.cursor import Cursor, ProblemCursor
from tvo_cli.data.loading import load
from tvo_cli.data.problems import Problems
from tvo_cli.data.prompts import render_prompt

__all__ = ["Cursor", "ProblemCursor", "Problems", "build_cursor", "check_curriculum", "load", "render_prompt"]
