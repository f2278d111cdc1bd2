# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# source $(ros2 pkg prefix --share thermal_fld_ros)/config/shared_memory.sh
#
# Gives what is started from this shell, such as a camera's driver, a Fast DDS profile whose shared memory holds large images. Bash,
# zsh; a profile that is set already stays. One name is Fast DDS 2's, the other Fast DDS 3's (Kilted and later).
if [ -z "${FASTRTPS_DEFAULT_PROFILES_FILE:-}${FASTDDS_DEFAULT_PROFILES_FILE:-}" ]; then
    _thermal_fld_config="$(cd "$(dirname "${BASH_SOURCE:-$0}")" && pwd)"
    export FASTRTPS_DEFAULT_PROFILES_FILE="$_thermal_fld_config/fastdds.xml"
    export FASTDDS_DEFAULT_PROFILES_FILE="$_thermal_fld_config/fastdds.xml"
    unset _thermal_fld_config
fi
