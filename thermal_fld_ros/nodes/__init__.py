# SPDX-License-Identifier: Apache-2.0
"""ROS 2 nodes: rclpy at the edge, everything else in `thermal_fld_ros.perception`."""
