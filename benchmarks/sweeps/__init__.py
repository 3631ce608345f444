"""What comparisons made of sweeps share: their runs, their sum of core hours, which rows go on, and verdicts."""
