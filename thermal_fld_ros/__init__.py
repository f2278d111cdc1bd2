# SPDX-License-Identifier: Apache-2.0
"""Facial landmarks in thermal images, for ROS 2 and without it.

`thermal_fld_ros.perception` is what runs on the robot and needs no ROS; `thermal_fld_ros.nodes` are the ROS 2 nodes;
`python -m thermal_fld_ros` lists the commands.
"""

import os
from pkgutil import extend_path

# OpenCV reads this once, when it is imported. A small file or message may claim to be a very large image; its own limit is
# 2^30 pixels, which is gigabytes.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")

# The built messages lie in another folder of this name, in the install space: both folders are one package.
__path__ = extend_path(__path__, __name__)
