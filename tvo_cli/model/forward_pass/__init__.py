"""The forward pass: hidden states, output head, log-probabilities, packing, shared prefixes, gradient checkpointing."""
