"""Runs as they lie on disk, of this tool and of others, read into one record each."""
