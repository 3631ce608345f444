"""One paper, one file, one pure function."""
