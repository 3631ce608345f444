"""What runs inside of a server's process, beside its vLLM: it imports torch, vLLM and nothing of this program."""
