"""Measurements that anyone can rerun: each module says what it measures and prints one table."""
