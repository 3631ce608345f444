#!/usr/bin/env bash
# An algorithm of your own beside GRPO: listed, trained, compared.
set -euo pipefail
cd "$(dirname "$0")"
export TVO_PLUGINS=./mine.py

tvo list algorithms | grep gentle
tvo train -m experiment=quick algorithm=gentle,grpo logger=none output_dir=outputs/sweep
tvo compare outputs/sweep --baseline grpo
