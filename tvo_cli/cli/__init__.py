"""The command line: Typer in front, Hydra behind. Nothing heavy is imported before a command runs."""
