"""Where a command runs: the machine, what is quick on it, what it can reach; the same for `tvo env` and for runs."""

from tvo_cli.environment.environment_facts import (
    all_environment_facts,
    facts_of_machine,
    facts_of_network,
    facts_of_run,
    facts_of_served_network,
    facts_to_record,
    fast_paths_taken,
    record_environment,
)

__all__ = [
    "all_environment_facts",
    "facts_of_machine",
    "facts_of_network",
    "facts_of_run",
    "facts_of_served_network",
    "facts_to_record",
    "fast_paths_taken",
    "record_environment",
]
