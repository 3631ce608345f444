"""Memory of a run: what it takes, predicted before it starts, and what is left out because it would take much."""
