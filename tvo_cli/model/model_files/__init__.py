"""The files of a model, read without torch: where they are, shapes, fingerprints, which checkpoint of a run."""
