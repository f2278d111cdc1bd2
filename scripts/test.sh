#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the package with colcon and runs the tests. Arguments go to pytest: scripts/test.sh -k tracking -x
# --slow runs whole trainings, the whole loop and what else CONTRIBUTING.md names, as .ci/run does; --long fuzzes and soaks for an hour (docs/reliability.md).
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Two runs on one host must not hear each other, and nothing leaves this host.
export ROS_DOMAIN_ID=$((10 + RANDOM % 90))
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
[[ ${ROS_DISTRO:-} != humble ]] || export ROS_LOCALHOST_ONLY=1

bash "$root/scripts/setup.sh" --test >/dev/null
# shellcheck source=scripts/env.sh
source "$root/scripts/env.sh"
cd "$root"
# A worker for each core, with one thread: much of a test's time is waiting for processes, and most arrays are small.
export OMP_NUM_THREADS=1
exec python -m pytest -n auto --dist loadfile "$@"
