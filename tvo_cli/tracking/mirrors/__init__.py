"""Mirrors of metrics.jsonl: W&B, TensorBoard, trackio, MLflow."""
