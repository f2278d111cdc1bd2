# SPDX-License-Identifier: Apache-2.0
"""Quality of service of the package's topics, each in one place.

A publisher or subscription that is made with `overrides()` lets the user replace its history, depth and reliability by the
parameters `qos_overrides.<topic>.<publisher|subscription>.<policy>`; these are read once.
"""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

RELIABILITIES = {"best_effort": ReliabilityPolicy.BEST_EFFORT, "reliable": ReliabilityPolicy.RELIABLE}


def images(reliability: str = "best_effort") -> QoSProfile:
    """Images into a node. Best effort hears every publisher, reliable only reliable ones.

    Only the newest is looked at. By those that wait with it the node tells images that it was too slow for from lost ones.
    """
    return QoSProfile(depth=4, reliability=RELIABILITIES[reliability])


def camera_images() -> QoSProfile:
    """Images and calibrations published by a camera: reliable, so that reliable and best-effort subscriptions receive them."""
    return QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)


def recorded(reliability: str) -> QoSProfile:
    """Whatever is recorded: some messages may wait for their turn."""
    return QoSProfile(depth=10, reliability=RELIABILITIES[reliability])


def camera_info() -> QoSProfile:
    """Calibration into a node; best effort, so that it hears every publisher."""
    return QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


def transforms() -> QoSProfile:
    """/tf_static: every publisher's last words, however late one listens."""
    durability = DurabilityPolicy.TRANSIENT_LOCAL
    return QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=durability)


def results() -> QoSProfile:
    """Results out: small and reliable."""
    return QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)


def debug_images() -> QoSProfile:
    """Pictures for people; reliable, so that every viewer hears them, and only the newest is kept for a slow one."""
    return QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


def overrides() -> QoSOverridingOptions:
    """Let parameters override history, depth and reliability."""
    return QoSOverridingOptions.with_default_policies()


def image_overrides() -> QoSOverridingOptions:
    """As `overrides`, without the reliability: that of images is a parameter of the node, which an override would freeze."""
    return QoSOverridingOptions([QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH])


def describe(profile: QoSProfile) -> str:
    """A profile in words, for logs."""
    words = (profile.reliability.name.lower().replace("_", " "), profile.durability.name.lower().replace("_", " "))
    return f"{words[0]}, {words[1]}, {profile.history.name.lower().replace('_', ' ')} {profile.depth}"
