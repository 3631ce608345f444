#!/bin/sh
# benchmarks.gpu on a machine with or without a network: sh benchmarks/gpu/run.sh [options of the benchmark]
# Wheels that `make gpu-wheels` left in outputs/gpu-wheels are put before what the machine's Python has. PYTHON chooses it.
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
wheels=outputs/gpu-wheels
site=$PWD/outputs/gpu-site
if ls $wheels/*.whl >/dev/null 2>&1; then
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target "$site" $wheels/*.whl
  PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
  export PYTHONPATH
fi
exec "$python" -m benchmarks.gpu "$@"
