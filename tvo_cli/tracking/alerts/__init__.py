"""Alerts: what is told to people, by webhook or command."""
