"""What a run shows on a terminal: console, live panel, numbers, progress."""
