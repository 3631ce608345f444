#!/usr/bin/env bash
# Two algorithms, two seeds, then verdicts, tables and figures. Typed again it does only what is not done.
set -euo pipefail
cd "$(dirname "$0")"

tvo train -m experiment=quick algorithm=tvo,grpo 'seed=range(2)' logger=none output_dir=outputs/sweep
tvo ls outputs/sweep
tvo compare outputs/sweep --baseline grpo --out outputs/report --paper
ls outputs/report outputs/report/paper
