# SPDX-License-Identifier: Apache-2.0
"""From landmarks and head poses to posture, eyes, mouth, attention and breathing; no ROS in here."""
