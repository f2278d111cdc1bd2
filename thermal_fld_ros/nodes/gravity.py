# SPDX-License-Identifier: Apache-2.0
"""Which way is up in the camera's optical frame, if anybody knows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from thermal_fld_ros.nodes.ergonomics_parameters import MOUNTING, NONE, TF
from thermal_fld_ros.nodes.parameters import Values
from thermal_fld_ros.perception.pose import rotation_matrix

Array = NDArray[np.float64]


class Gravity:
    """The unit vector against gravity, from the camera's mounting or from tf.

    Attributes
    ----------
    status : str
        Where it comes from, or why it is unknown.

    Raises
    ------
    ValueError
        tf is asked for and tf2_ros is not installed.
    """

    def __init__(self, node: Node, values: Values) -> None:
        self._values = values
        self._buffer: Any = None
        self._listener: Any = None
        self.status = values["gravity"]
        if values["gravity"] == TF:
            try:
                from tf2_ros import Buffer, TransformListener
            except ImportError as error:
                raise ValueError(
                    "gravity: tf needs the package tf2_ros, which is not installed. Install it, or use gravity: mounting"
                ) from error
            self._buffer = Buffer()
            self._listener = TransformListener(self._buffer, node)

    def up(self, header: Header) -> Array | None:
        """The vector (3,) in the frame of `header`, at its stamp or else the newest that tf has; None where it is unknown."""
        kind = self._values["gravity"]
        if kind == NONE:
            return None
        if kind == MOUNTING:
            return mounted_up(self._values["camera_pitch"], self._values["camera_roll"])
        from tf2_ros import TransformException

        frame, vertical = header.frame_id, self._values["gravity_frame"]
        stamp = Time.from_msg(header.stamp)
        if not self._buffer.can_transform(frame, vertical, stamp):
            stamp = Time()  # the newest there is
        try:
            turn = self._buffer.lookup_transform(frame, vertical, stamp).transform.rotation
        except TransformException as error:
            self.status = f"tf: {error}"
            return None
        self.status = f"tf: {vertical}"
        up: Array = rotation_matrix(np.array([turn.x, turn.y, turn.z, turn.w]))[:, 2]
        return up

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.unregister()
            self._listener = None


def mounted_up(pitch: float, roll: float) -> Array:
    """Up (3,) in the optical frame (x right, y down, z forward) of a camera that looks up by `pitch` and is turned by `roll`, degrees."""
    p, r = math.radians(pitch), math.radians(roll)
    return np.array([-math.sin(r) * math.cos(p), -math.cos(r) * math.cos(p), math.sin(p)])
