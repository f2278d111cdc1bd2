# SPDX-License-Identifier: Apache-2.0
"""Recording of thermal and RGB image pairs: the part that needs no ROS."""
