#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measure the speed anew on an idle machine and write benchmarks/README.md: about half an hour.
#
#   bash benchmarks/run_all.sh [PYTHON]
#
# PYTHON is the interpreter of an environment with MediaPipe, see benchmarks/others.py; without it that comparison stays as it was.
# YUNET=FILE.onnx compares with YuNet, too. BEFORE=COMMIT is the version that this one is compared with.
set -eo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
export OMP_NUM_THREADS=1
before=${BEFORE:-094e941}

python benchmarks/pipeline.py --before "$before"
python benchmarks/rates.py
python benchmarks/network_speed.py --before "$before"
python benchmarks/node.py
python benchmarks/transport.py
if [ -n "${1:-}" ]; then
    (unset PYTHONPATH; "$1" benchmarks/others.py ${YUNET:+--yunet "$YUNET"})
fi
python benchmarks/report.py
