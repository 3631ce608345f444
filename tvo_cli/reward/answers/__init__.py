"""Answers by type: one spelling of LaTeX, and a reader for each type of answer."""
