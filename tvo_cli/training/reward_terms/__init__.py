"""The terms of a reward: what each says of a batch, its own gradient, and how the terms are weighted."""
