"""The composition root: a resolved configuration becomes connected parts, and one command's work."""

from tvo_cli.experiment.evaluation import evaluate
from tvo_cli.experiment.gradient_variance import variance
from tvo_cli.experiment.replaying import replay
from tvo_cli.experiment.supervised import sft
from tvo_cli.experiment.training import train

__all__ = ["evaluate", "replay", "sft", "train", "variance"]
