"""Coverage of intervals, false alarms of tests and choices of a rate, by simulation."""
