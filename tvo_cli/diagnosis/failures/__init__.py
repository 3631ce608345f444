"""Failures: a file each, with its statistic, its thresholds and their reasons, its remedies and its sources."""
