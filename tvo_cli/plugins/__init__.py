"""A user's own code, loaded from where a config names it: trusted, fingerprinted, never guessed."""

from tvo_cli.plugins import register

__all__ = ["register"]
