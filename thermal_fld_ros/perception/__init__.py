# SPDX-License-Identifier: Apache-2.0
"""Faces and their landmarks in thermal images, without ROS: numpy, OpenCV and onnxruntime."""
