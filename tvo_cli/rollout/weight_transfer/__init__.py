"""Weight transfer: the trainer's weights become those of its inference servers, and a probe shows that they did."""
