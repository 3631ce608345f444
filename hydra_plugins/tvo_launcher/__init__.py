"""Hydra finds plugins only below `hydra_plugins`; what this one does is in tvo_cli/sweep."""
