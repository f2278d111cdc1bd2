#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Landmarks on a thermal clip: a replayed camera, the detector node and a film of it, over real ROS 2.
# scripts/demo.sh --help tells the options for your own data.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Nothing leaves this host, and no other ROS 2 system on it hears the demo.
export ROS_DOMAIN_ID=$((10 + RANDOM % 90))
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
[[ ${ROS_DISTRO:-} != humble ]] || export ROS_LOCALHOST_ONLY=1

# shellcheck source=scripts/env.sh
source "$root/scripts/env.sh"
exec python "$root/scripts/demo.py" "$@"
