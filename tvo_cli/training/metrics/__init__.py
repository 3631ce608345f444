"""The metrics of a step: the readings of stability/ and others, taken from the batch and its updates."""
