#!/usr/bin/env bash
# Train on problems.jsonl, and evaluate on its held-out rows.
set -euo pipefail
cd "$(dirname "$0")"
[ -f problems.jsonl ] || python make_problems.py

columns=(dataset.columns.question=task dataset.columns.answer=result dataset.columns.id=nr)
tvo train dataset=jsonl dataset.path=problems.jsonl "${columns[@]}" dataset.suffix= dataset.max_tokens=20 \
  trainer.steps=6 logger=none output_dir=outputs/own-data
tail -n 2 outputs/own-data/responses/step-000006.jsonl
