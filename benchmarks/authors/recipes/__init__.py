"""One file an authors' repository: its comparisons, as COMPARISONS."""
