"""What a run tells: metrics.jsonl, the console, mirrors. The file is the truth, the rest are views of it."""

from tvo_cli.tracking.mirrors.mirror import RunInfo
from tvo_cli.tracking.tracker import Tracker

__all__ = ["RunInfo", "Tracker"]
