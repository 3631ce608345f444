"""A pretrained model on few-shot sums: TVO and GRPO at three rates, rivals at the rates of a pilot seed."""
