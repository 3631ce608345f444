"""What every benchmark shares: its record on disk, its command line, Markdown tables, child processes, the machine."""
