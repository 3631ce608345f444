#!/usr/bin/env bash
# A start by supervised fine-tuning, then reinforcement learning from it.
set -euo pipefail
cd "$(dirname "$0")"

tvo sft steps=120 problems=64 samples=2 output_dir=outputs/start
tvo train model=custom model.path=outputs/start dataset=arithmetic trainer.steps=4 evaluation=quick logger=none output_dir=outputs/rl
