"""The other side of a benchmark: our own scripts that drive other trainers, each run by an interpreter of its own."""
