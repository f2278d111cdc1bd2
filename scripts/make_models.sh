#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes all that lies in models/ from the morphable face, from thermal images without faces, from photographs of people, and from the
# weights of the version before: renders, trains, fits the score, exports. What is finished is not done again, and what was cut goes on:
# run it again after an interruption. Needs the extra "train".
#
# Usage: make_models.sh FACE_MODEL SCENES PHOTOS MARKS TEACHER_PYTHON [OUT]
#   FACE_MODEL: the folder FaceXModel of ICT-FaceKit; SCENES: a folder of thermal images without faces (docs/training.md)
#   PHOTOS, MARKS, TEACHER_PYTHON: portraits, points marked in some of them, a Python with MediaPipe (docs/photos.md); OUT: default models
set -euo pipefail
(($# >= 5)) || { sed -n '8,10s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
face_model="$(realpath "$1")"
scenes="$(realpath "$2")"
photos="$(realpath "$3")"
marks="$(realpath "$4")"
teacher_python="$(command -v "$5")"
out="$(realpath "${6:-models}")"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run() { python -m thermal_fld_ros "$@"; }
render() { run render --face-model "$face_model" --processes "$(nproc)" --out "runs/$1" --kind "$2" --count "$3" --seed "$4" "${@:5}"; }

render train_faces face 12000 0
render test_faces face 2000 50000000
render train_frames frame 10000 10000000
render test_frames frame 500 50000000
render train_pairs pair 6000 20000000 --size 160 --misregistration 0.5
render test_pairs pair 500 60000000 --size 160

render calibration_frames frame 2000 70000000
mkdir -p runs && ln -sfn "$scenes" runs/scenes

run train config/training/face_detector.yaml
run export runs/face_detector/checkpoint.pt --out "$out/face_detector.onnx"

run photos "$photos" --face-model "$face_model" --out runs/photo_pairs --draws 6 --marks "$marks" \
    --sources config/photos/sources.json --teacher-python "$teacher_python" --processes "$(nproc)"
run train config/training/rgb_teacher.yaml
run export runs/rgb_teacher/checkpoint.pt --config config/training/rgb_teacher.yaml --out "$out/rgb_teacher.pt"

for stage in face_landmarks_refined face_landmarks_frames thermal_teacher face_landmarks_last face_landmarks_lids; do
    run train "config/training/$stage.yaml"
done
run export runs/face_landmarks_lids/checkpoint.pt --config config/training/face_landmarks_lids.yaml --out "$out/face_landmarks_wide.pt"
run train config/training/face_landmarks_narrow.yaml # learns from models/face_landmarks_wide.pt
run export runs/face_landmarks_narrow/checkpoint.pt --config config/training/face_landmarks_narrow.yaml --out "$out/face_landmarks.onnx" \
    --arms docs/results/students.json
run calibrate --models "$out" --data renders:runs/calibration_frames
