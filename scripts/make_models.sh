#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes all that lies in models/ from nothing but the morphable face: renders, trains, distils, exports.
# What is finished is not done again, and what was cut goes on: run it again after an interruption. Needs the extra "train".
#
# Usage: make_models.sh FACE_MODEL [OUT]     FACE_MODEL: the folder FaceXModel of ICT-FaceKit; OUT: default models
set -euo pipefail
(($# >= 1)) || { sed -n '4,7s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
face_model="$(realpath "$1")"
out="$(realpath "${2:-models}")"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run() { python -m thermal_fld_ros "$@"; }
render() { run render --face-model "$face_model" --processes "$(nproc)" --out "runs/$1" --kind "$2" --count "$3" --seed "$4" "${@:5}"; }

render train_faces face 30000 0
render test_faces face 2000 50000000
render train_frames frame 10000 10000000
render test_frames frame 500 50000000
render train_pairs pair 16000 20000000 --size 160 --misregistration 0.5
render test_pairs pair 500 60000000 --size 160

run train config/training/face_detector.yaml
run export runs/face_detector/checkpoint.pt --out "$out/face_detector.onnx"

# directly, then both levels of the distillation from there on
run train config/training/face_landmarks.yaml
plan=config/distillation/face_landmarks.yaml
run distil "$plan"
cp runs/distilled/face_landmarks.{onnx,pt,json,md} "$out"
run export "$out/face_landmarks.pt" --config "$plan" --out "$out/face_landmarks_int8.onnx" --int8 runs/train_faces
run export runs/distilled/teacher/checkpoint.pt --config "$plan" --out "$out/rgb_teacher.pt"
