# SPDX-License-Identifier: Apache-2.0
"""Recording pairs of thermal and RGB images: everything of it that needs no ROS."""
