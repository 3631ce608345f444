"""Engines: who generates, which is the own loop, vLLM in this process, or inference servers."""
