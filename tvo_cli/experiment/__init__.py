"""The composition root: a resolved configuration becomes connected parts, and one command's work."""

from tvo_cli.experiment.run_evaluation import evaluate
from tvo_cli.experiment.run_gradient_variance import variance
from tvo_cli.experiment.run_replay import replay
from tvo_cli.experiment.run_sft import sft
from tvo_cli.experiment.run_training import train

__all__ = ["evaluate", "replay", "sft", "train", "variance"]
