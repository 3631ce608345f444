"""Checkpoints on disk: folders of a state, and how records, tensors and optimisers become files."""
