# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# source scripts/env.sh      (bash)
#
# Gives this shell the package, its messages, its nodes and `python -m thermal_fld_ros`. The first time it makes the
# environment (see setup.sh); after that it takes a second. Sourcing it again changes nothing, and no shell option is
# touched. Where a ROS 2 is sourced that one is used; elsewhere the ROS 2 wheels, with DDS kept on this host and a domain
# of this checkout's own.

_thermal_fld_prepend() { # VARIABLE FOLDER: once, at the front
    [[ ":${!1:-}:" == *":$2:"* ]] || export "$1=$2${!1:+:${!1}}"
}

_thermal_fld_use_wheels() { # VENV ROOT
    local libs
    export THERMAL_FLD_ENV=wheels AMENT_PREFIX_PATH="$1" CMAKE_PREFIX_PATH="$1"
    # What `import rclpy` would set, starting the interpreter a second time each time.
    for libs in "$1"/lib/python*/site-packages/ros_*.libs "$1/lib"; do
        [[ -d $libs ]] && _thermal_fld_prepend LD_LIBRARY_PATH "$libs"
    done
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
    export ROS_DOMAIN_ID="${ROS_DOMAIN_ID:-$((10 + $(cksum <<<"$(id -u) $2" | cut -d ' ' -f 1) % 90))}"
}

_thermal_fld_env() {
    local root venv nounset=
    root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)" || return 1
    venv="$(bash "$root/scripts/setup.sh")" || return 1
    [[ $venv == "$root/.venv" ]] && _thermal_fld_use_wheels "$venv" "$root"

    # colcon's scripts read variables that are not set.
    [[ $- == *u* ]] && nounset=1 && set +u
    # shellcheck disable=SC1091
    source "$venv/workspace/install/local_setup.bash"
    [[ -n $nounset ]] && set -u

    export VIRTUAL_ENV="$venv"
    _thermal_fld_prepend PATH "$venv/bin"
    # One name is Fast DDS 2's, the other Fast DDS 3's (Kilted and later).
    if [[ -z ${FASTRTPS_DEFAULT_PROFILES_FILE:-}${FASTDDS_DEFAULT_PROFILES_FILE:-} ]]; then
        export FASTRTPS_DEFAULT_PROFILES_FILE="$root/config/fastdds.xml" FASTDDS_DEFAULT_PROFILES_FILE="$root/config/fastdds.xml"
    fi
}

_thermal_fld_env
_thermal_fld_status=$?
unset -f _thermal_fld_env _thermal_fld_prepend _thermal_fld_use_wheels
# The status of this last line is the status of `source`.
eval "unset _thermal_fld_status; (exit $_thermal_fld_status)"
