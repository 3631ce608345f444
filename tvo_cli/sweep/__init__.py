"""Sweeps: where their jobs go, which are done, and how the rest is run so that each costs only itself."""
