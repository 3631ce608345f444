"""The data of a run: its problems and demonstrations loaded, encoded, and checked against the model and each other."""
