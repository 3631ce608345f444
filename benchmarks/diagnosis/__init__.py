"""Shares of failures that `tvo diagnose` and its peers name, and of healthy runs that they alarm."""
