"""Diagnosis of training logs: which failure, since when, what it has cost, what to change."""
