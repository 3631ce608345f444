"""A job: one run of a command in its folder, from the shell or from Python."""
