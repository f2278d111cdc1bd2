# SPDX-License-Identifier: Apache-2.0
"""Where a point of the thermal image lies in the RGB image: the map, its file, and its estimation. numpy and OpenCV; no ROS."""
