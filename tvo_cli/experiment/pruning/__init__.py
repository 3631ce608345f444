"""What `tvo prune` deletes of runs, and what it leaves."""
