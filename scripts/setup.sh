#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the environment of this checkout, or brings it up to date: a virtual environment with the ROS 2 wheels (or over
# the ROS 2 that is sourced), the runtime libraries, and the package built with colcon. What is up to date is left alone.
#
# Usage: setup.sh [--test]      --test adds what the tests need
# Progress goes to stderr. The only line on stdout is the folder of the virtual environment.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
requirements="$root/scripts/requirements"

say() { printf '%s\n' "thermal_fld_ros: $*" >&2; }
fail() {
    say "$1"
    exit 1
}

# --- what is here --------------------------------------------------------------------------------------------------

# A ROS 2 that the user has sourced, and not the environment that env.sh made in this very shell.
ros_is_sourced() { [[ -n ${AMENT_PREFIX_PATH:-} && ${THERMAL_FLD_ENV:-} != wheels ]]; }

python_with_ros() {
    local candidate
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import rclpy' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "ROS 2 ${ROS_DISTRO:-} is sourced, but no python3 here imports rclpy. Install ros-${ROS_DISTRO:-<distro>}-rclpy
  and leave any conda or pyenv environment, or use a shell in which ROS is not sourced: the ROS 2 wheels are used there."
}

python_for_wheels() {
    local candidate
    [[ "$(uname -sm)" == "Linux x86_64" ]] || fail "the ROS 2 wheels exist for x86-64 Linux only; source a ROS 2 first."
    for candidate in python3 python3.12 python3.11 python3.13 python3.10; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.10 to 3.13 found. Debian and Ubuntu: apt install python3 python3-venv python3-dev"
}

# Name everything that is missing at once, with the package that brings it.
check_machine() {
    local python=$1 version missing=()
    version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=("python${version}-venv (Python's venv and ensurepip)")
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        missing+=("python${version}-dev (Python's headers, for the messages)")
    command -v "${CXX:-c++}" >/dev/null || missing+=("g++ (a C++ compiler, for the messages)")
    command -v flock >/dev/null || missing+=("util-linux (flock)")
    ((${#missing[@]} == 0)) && return
    say "missing on this machine, by the names of Debian's and Ubuntu's packages:"
    printf '  %s\n' "${missing[@]}" >&2
    exit 1
}

# --- steps; the log holds the last one's output ----------------------------------------------------------------------

# On a terminal, count the seconds beside the title, as long as this script lives.
tick() {
    while [[ -t 2 ]] && sleep 1 && kill -0 $$ 2>/dev/null; do
        printf '\rthermal_fld_ros: %s ... %d s ' "$1" "$((SECONDS - $2))" >&2
    done
}

# step TITLE COMMAND...
step() {
    local title=$1 start=$SECONDS status=0 ticker
    shift
    printf 'thermal_fld_ros: %s ... ' "$title" >&2
    tick "$title" "$start" >&2 9>&- &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null || status=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    [[ ! -t 2 ]] || printf '\rthermal_fld_ros: %s ... ' "$title" >&2
    if ((status == 0)); then
        printf 'done (%d s)\n' "$((SECONDS - start))" >&2
    else
        printf 'FAILED\n' >&2
        tail -n 25 "$log" >&2
        fail "the full log is $log"
    fi
}

# A part is complete when its stamp, written last, holds the key of what it was made from.
is_complete() { [[ "$(cat "$venv/.complete-$1" 2>/dev/null)" == "$2" ]]; }
mark_complete() { printf '%s\n' "$2" >"$venv/.complete-$1"; }
key_of() { sha256sum | cut -d ' ' -f 1; }

install_wheels() {
    "$venv/bin/pip" install --disable-pip-version-check -r "$requirements/ros.txt" -r "$requirements/runtime.txt" &&
        "$venv/bin/python" "$root/scripts/repair_ros_wheels.py"
}

# Only what the ROS 2 installation does not bring, and never a numpy that its compiled modules were not built for: a newer
# one of the same major version will do (Humble's 1.21.5 is too old for onnxruntime).
install_beside_ros() {
    local colcon=()
    command -v colcon >/dev/null || colcon=("colcon-common-extensions>=0.3")
    "$venv/bin/python" - "$requirements/runtime.txt" >"$venv/missing.txt" <<'PYTHON' &&
import importlib.util, re, sys
MODULES = {"opencv-python-headless": "cv2"}
for line in open(sys.argv[1], encoding="utf-8"):
    name = re.match(r"[\w-]*", line)[0]
    if name and importlib.util.find_spec(MODULES.get(name, name)) is None:
        print(line, end="")
PYTHON
        "$venv/bin/python" -c 'import numpy
print("numpy>=%s,<%d" % (numpy.__version__, int(numpy.__version__.split(".")[0]) + 1))' >"$venv/constraints.txt" &&
        "$venv/bin/pip" install --disable-pip-version-check -c "$venv/constraints.txt" -r "$venv/missing.txt" \
            "${colcon[@]}"
}

install_for_tests() {
    local constraints=()
    [[ -f $venv/constraints.txt ]] && constraints=(-c "$venv/constraints.txt")
    "$venv/bin/pip" install --disable-pip-version-check "${constraints[@]}" -r "$requirements/test.txt"
}

build_package() {
    local workspace="$venv/workspace" python="$venv/bin/python"
    export PATH="$venv/bin:$PATH"
    if [[ $kind == wheels ]]; then
        unset PYTHONPATH
        export AMENT_PREFIX_PATH="$venv" CMAKE_PREFIX_PATH="$venv" LD_LIBRARY_PATH="$venv/lib" CMAKE_GENERATOR=Ninja
    fi
    # A workspace with a link to this checkout: CMake refuses header folders (numpy's) inside the source folder.
    mkdir -p "$workspace/src" && ln -sfn "$root" "$workspace/src/thermal_fld_ros" && cd "$workspace" &&
        colcon build --symlink-install --packages-select thermal_fld_ros \
            --cmake-args -DBUILD_TESTING=OFF "-DPython3_EXECUTABLE=$python" "-DPYTHON_EXECUTABLE=$python"
}

# The build links the modules, so only their names count; messages and build files count with their contents.
build_key() {
    local folders=(config launch models resource scripts/nodes thermal_fld_ros)
    (cd "$root" && cat CMakeLists.txt package.xml msg/*.msg srv/*.srv &&
        { find "${folders[@]}" -type f ! -path '*/__pycache__/*' 2>/dev/null || true; } | LC_ALL=C sort) | key_of
}

# --- the work ------------------------------------------------------------------------------------------------------

make_environment() {
    local key options=() title="ROS 2 Jazzy wheels and runtime libraries, about 200 MB" installer=install_wheels
    if [[ $kind == sourced ]]; then
        options=(--system-site-packages)
        title="runtime libraries beside ROS 2 $ROS_DISTRO"
        installer=install_beside_ros
    fi
    # A folder without the stamp is what an interrupted run left, or was moved here from elsewhere: start afresh.
    if ! is_complete venv "$root"; then
        check_machine "$python"
        rm -rf "$venv"
        mkdir "$venv"
        step "virtual environment in ${venv#"$root"/}" "$python" -m venv "${options[@]}" "$venv"
        step "$title" "$installer"
        mark_complete venv "$root"
        mark_complete runtime "$(cat "$requirements"/r*.txt | key_of)"
    fi
    key="$(cat "$requirements"/r*.txt | key_of)"
    if ! is_complete runtime "$key"; then
        step "$title (requirements have changed)" "$installer"
        mark_complete runtime "$key"
    fi
    key="$(key_of <"$requirements/test.txt")"
    if [[ ${1:-} == --test ]] && ! is_complete test "$key"; then
        step "libraries for the tests, torch among them (2 GB and more where pip finds no CPU build)" install_for_tests
        mark_complete test "$key"
    fi
    key="$(build_key)"
    if ! is_complete build "$key"; then
        step "colcon build" build_package
        mark_complete build "$key"
    fi
}

if ros_is_sourced; then
    kind=sourced
    ROS_DISTRO="${ROS_DISTRO:-ros}"
    venv="$root/.venv-$ROS_DISTRO"
    python="$(python_with_ros)"
else
    kind=wheels
    venv="$root/.venv"
    python="$(python_for_wheels)"
fi
log="$venv/setup.log"

command -v flock >/dev/null || check_machine "$python"
exec 9>"$venv.lock"
flock --nonblock 9 || { say "waiting for another setup of this folder" && flock 9; }
make_environment "$@"
printf '%s\n' "$venv"
