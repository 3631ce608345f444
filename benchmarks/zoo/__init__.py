"""Every recipe at its own epochs on the embedded task, and the best of them on a pretrained model."""
