# SPDX-License-Identifier: Apache-2.0
"""Faces as foxglove_msgs/ImageAnnotations."""

from __future__ import annotations

from typing import Any

import numpy as np
from node_rig import Rig

from thermal_fld_ros.nodes.messages import points_from_field


def test_contours_points_and_ids_are_annotations_of_the_image(rig: Rig, interfaces: None) -> None:
    from foxglove_msgs.msg import ImageAnnotations, PointsAnnotation

    heard: list[Any] = []
    rig.start_connected(smoothing=False)
    rig.node.create_subscription(ImageAnnotations, "thermal_fld_detector/annotations", heard.append, 1)
    rig.send_until(rig.scene, lambda: heard and heard[-1].texts, "annotations of a face")
    result = rig.detect(rig.scene())
    stamp = result.header.stamp
    found = rig.wait_for(
        lambda: next((m for m in heard if m.texts and m.texts[0].timestamp == stamp), None), "those of the image"
    )
    (face,) = result.faces
    assert found.texts[0].text.startswith(face.id)
    (dots,) = (entry for entry in found.points if entry.type == PointsAnnotation.POINTS)
    assert len(dots.points) == len(dots.outline_colors) == 68
    places = np.array([(point.x, point.y) for point in dots.points])
    np.testing.assert_allclose(places, points_from_field(face.points) + 0.5, atol=1e-4)
    assert sum(entry.type == PointsAnnotation.LINE_LOOP for entry in found.points) == 4, "eyes and lips"
