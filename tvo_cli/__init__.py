"""tvo: reinforcement learning of language models, with stability in view."""

__version__ = "0.1.0"
