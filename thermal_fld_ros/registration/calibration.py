# SPDX-License-Identifier: Apache-2.0
"""What is known of two cameras before they are registered: intrinsics and, perhaps, extrinsics, from files and from bags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.camera import Camera, camera_of_info
from thermal_fld_ros.perception.geometry import Size
from thermal_fld_ros.recordings.bag import bag_reader
from thermal_fld_ros.recordings.manifest import read_manifest
from thermal_fld_ros.recordings.messages import CAMERA_INFO, RGB, THERMAL
from thermal_fld_ros.registration.camera import read_camera
from thermal_fld_ros.registration.estimation import view_distance
from thermal_fld_ros.registration.registration import CameraPair
from thermal_fld_ros.registration.transforms import between, read_transforms
from thermal_fld_ros.registration.views import View


@dataclass(frozen=True, eq=False)
class Calibration:
    """Two cameras.

    Attributes
    ----------
    thermal, rgb : Camera
    extrinsics : (rotation (3, 3), translation (3,)) or None
        x_rgb = rotation x_thermal + translation; None: to be estimated.
    """

    thermal: Camera
    rgb: Camera
    extrinsics: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def check_sizes(self, thermal: Size, rgb: Size) -> None:
        """Raise ValueError where a calibration is for images of another size."""
        for name, camera, size in ((THERMAL, self.thermal, thermal), (RGB, self.rgb, rgb)):
            if camera.size != size:
                raise ValueError(
                    f"the {name} camera is calibrated for {camera.size[0]} x {camera.size[1]} px, but "
                    f"the images have {size[0]} x {size[1]}"
                )

    def pair(self, views: Sequence[View], distance: float | None = None) -> CameraPair:
        """With the known extrinsics; without a distance it is the median of the views'."""
        assert self.extrinsics is not None
        pair = CameraPair(self.thermal, self.rgb, *self.extrinsics, distance=distance or 1.0)
        if distance is not None:
            return pair
        distances = [known for view in views if (known := view_distance(pair, view)) is not None]
        if not distances:
            raise ValueError(
                "the distance of the views is not known: use faces, give the size of the board's squares, or set --distance"
            )
        return CameraPair(self.thermal, self.rgb, *self.extrinsics, distance=float(np.median(distances)))


def open_calibration(
    bags: Sequence[Path], thermal: str, rgb: str, extrinsics: Path | None, frames: Sequence[str] | None
) -> Calibration:
    """Gather what is known of two cameras.

    Parameters
    ----------
    bags
        Recordings in which camera_info may be.
    thermal, rgb : str
        A calibration file, or a topic of the bags; empty: the topic that the capture node has recorded.
    extrinsics : Path or None
        As `read_transforms` takes it; None: they are to be estimated.
    frames : two names or None
        Optical frames of the thermal and the RGB camera in tf; None: those of camera_info.

    Raises
    ------
    ValueError, OSError
        Something is missing or malformed.
    """
    cameras, named = {}, []
    for role, text in ((THERMAL, thermal), (RGB, rgb)):
        if text and Path(text).is_file():
            cameras[role] = read_camera(Path(text))
        else:
            cameras[role], frame = _recorded_camera(bags, role, text)
            named.append(frame)
    if extrinsics is None:
        return Calibration(cameras[THERMAL], cameras[RGB])
    if frames is None and len(named) < len(cameras):
        raise ValueError(
            "the cameras' frames in tf are not known, because a calibration file does not name them: use --frames THERMAL RGB"
        )
    source, target = frames or named
    return Calibration(cameras[THERMAL], cameras[RGB], between(read_transforms(extrinsics), source, target))


def _recorded_camera(bags: Sequence[Path], role: str, topic: str) -> tuple[Camera, str]:
    """The camera and its frame, of the first camera_info in the bags."""
    found = set()
    for bag in bags:
        wanted = topic or read_manifest(bag).get("topics", {}).get(f"{role}_info", {}).get("name", "")
        with bag_reader(bag) as reader:
            known = [one for one in reader.connections if one.msgtype == CAMERA_INFO]
            found |= {one.topic for one in known}
            chosen = [one for one in known if one.topic == wanted]
            for _, _, data in reader.messages(chosen) if chosen else ():
                info = reader.deserialize(data, CAMERA_INFO)
                try:
                    return camera_of_info(info), info.header.frame_id
                except ValueError as error:
                    raise ValueError(f"{bag}, {wanted}: {error}") from error
    raise ValueError(
        f"the {role} camera is not calibrated: {f'no file and no topic {topic}' if topic else 'no camera_info of it was recorded'}; "
        f"--{role}-camera takes a file or one of the topics {', '.join(sorted(found)) or '(there are none)'}"
    )
