"""Training: the loop, one rollout batch, one update, checkpoints."""
