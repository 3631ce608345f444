"""The comparison of TVO's second edition: its plan, its sweeps and the figures of the claims."""
