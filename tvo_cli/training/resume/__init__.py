"""Saving a session and resuming it: its checkpoints, and whether settings, data, code and base are still the same."""
