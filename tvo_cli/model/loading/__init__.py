"""Loading: from a folder or a hub id to a policy or a tokenizer, quantised where that is asked."""
