"""Supervised fine-tuning: the loop of `tvo sft`, and its own checkpoint."""
