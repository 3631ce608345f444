"""Branching: rules that continue some responses from a prefix of others."""
