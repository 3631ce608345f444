"""Our recipes against their authors' released code on random batches: loss and gradient."""
