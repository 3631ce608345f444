"""A diagnosis written down: for a terminal, as JSON, as Markdown for an issue, as one HTML page with marked curves."""
