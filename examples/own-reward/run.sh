#!/usr/bin/env bash
# Train on a right answer, its brevity, and a little for being near.
set -euo pipefail
cd "$(dirname "$0")"
rewards='reward.functions=[{call: my_rewards.py:brevity, weight: 0.1, target: 12}, {call: my_rewards.py:near, weight: 0.2}]'

tvo train --dry-run "$rewards" > /dev/null    # loads the functions and checks their keys; starts nothing
tvo train "$rewards" trainer.steps=4 evaluation=quick logger=none output_dir=outputs/own-reward
python - <<'END'
import json
for line in open("outputs/own-reward/metrics.jsonl"):
    step = json.loads(line)
    if "reward/mean" in step:
        print({name: round(step[name], 3) for name in ("reward/mean", "accuracy/fresh", "reward/brevity", "reward/near")})
END
