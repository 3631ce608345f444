#!/usr/bin/env bash
# A run that falls apart, the step where it began, and the same run with a rule that acts.
set -euo pipefail
cd "$(dirname "$0")"
broken=(algorithm=grpo optimizer.lr=3e-3 rollout.epochs=4 rollout.minibatches=4 seed=1 trainer.steps=10 evaluation=quick logger=none)

tvo train "${broken[@]}" output_dir=outputs/broken
cat outputs/broken/collapse.json
step=$(python -c "import json; print(json.load(open('outputs/broken/collapse.json'))['collapsed_at'])")
tvo replay outputs/broken --step "$step" algorithm=tvo
tvo train "${broken[@]}" stability=act output_dir=outputs/acts
