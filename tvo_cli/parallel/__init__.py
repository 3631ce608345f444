"""Several processes that train one policy: who they are, how they meet, what they exchange."""
