"""A recorded step, run again: to the same bits, with another setting, or response by response."""
