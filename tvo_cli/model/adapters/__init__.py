"""Adapters: low-rank weights beside a frozen network, their folder, and the base that they belong to."""
