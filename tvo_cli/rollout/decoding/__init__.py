"""The decoding loop: KV cache, continuous batching, sampling of tokens, stop strings, faster matrix products."""
