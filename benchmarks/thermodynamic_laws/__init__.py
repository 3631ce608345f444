"""Neural Thermodynamic Laws, tested by next-token pre-training of the embedded model."""
