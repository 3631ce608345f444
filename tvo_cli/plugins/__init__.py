"""A user's own code, loaded from where a config names it: trusted, fingerprinted, never guessed."""
