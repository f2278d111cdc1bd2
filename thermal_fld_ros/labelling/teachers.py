# SPDX-License-Identifier: Apache-2.0
"""Who labels: finds the 68 points of faces in RGB images."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermal_fld_ros.datasets.colour import sampled_colour
from thermal_fld_ros.labelling import face_mesh
from thermal_fld_ros.perception.cropping import crop_from_box, look_twice
from thermal_fld_ros.perception.geometry import Affine, box_around, iou
from thermal_fld_ros.perception.models import default_model_folder

OWN_FILE = "rgb_teacher.pt"

SAME_FACE = 0.3
"""Overlap (IoU) of two boxes from which on they are one face's."""


class RgbFace(NamedTuple):
    """A face in an RGB image.

    Attributes
    ----------
    points : (68, 2) float64
        iBUG order, pixels of the image.
    confidence : (68,) float64 in [0, 1]
        Probability that a point lies within 5 % of sqrt(w h) of the face's box; 1 from a teacher that does not tell.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]


class RgbTeacher(Protocol):
    """Finds faces in an RGB image.

    Attributes
    ----------
    about : dict
        Name, version and what else a data set says of who labelled it.
    finds : bool
        Whether it finds faces by itself; one that does not is to be given boxes.
    """

    about: dict[str, Any]
    finds: bool

    def __call__(self, image: NDArray[np.uint8], boxes: Sequence[ArrayLike] | None = None) -> list[RgbFace | None]:
        """The faces of an image.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB, faces upright.
        boxes : list of (4,), optional
            x, y, width, height of each face, roughly; None: wherever faces are in the image (ValueError from a teacher that cannot).

        Returns
        -------
        One for each box, None where there is no face; without boxes all that were found.
        """
        ...

    def close(self) -> None:
        """Let go of processes and memory."""
        ...


class TeacherError(ValueError):
    """A teacher that cannot be used; the message says why and what helps."""


def open_teacher(name: str, python: str = "") -> RgbTeacher:
    """A teacher by name.

    Parameters
    ----------
    name : str
        "mediapipe", "own" (the network for RGB images that comes with the package), or the checkpoint of such a network.
    python : str
        Interpreter of the environment that holds MediaPipe; empty: this one.

    Raises
    ------
    TeacherError
        Also where MediaPipe is not installed.
    """
    if name == "mediapipe":
        return MediaPipe(python or sys.executable)
    return NetworkTeacher(default_model_folder() / OWN_FILE if name == "own" else Path(name))


class MediaPipe:
    """MediaPipe Face Mesh, in a process of its own.

    It tells no confidence: 1, but `JAW_CONFIDENCE` for points 0 to 16, which run along the face's oval and not along the jaw line that
    annotators and this package's networks draw.

    Parameters
    ----------
    python : str
        The interpreter to run it with.
    """

    finds = True
    JAW_CONFIDENCE = 0.3
    CROP_SCALE, LEAST_SIDE = 2.0, 256  # of a crop about a box

    def __init__(self, python: str) -> None:
        self._python = python
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, closed in `close`
        own = Path(python) == Path(sys.executable)
        environment = {k: v for k, v in os.environ.items() if own or k not in ("PYTHONPATH", "PYTHONHOME")}
        try:
            self._process = subprocess.Popen(
                [python, face_mesh.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=environment,
                start_new_session=True,  # Ctrl-C is for us: it ends when its input does
            )
        except OSError as error:
            raise TeacherError(f"{python}: cannot be run: {error.strerror or error}") from error
        self.about: dict[str, Any] = {"name": "MediaPipe Face Mesh", **self._answer()}

    def __call__(self, image: NDArray[np.uint8], boxes: Sequence[ArrayLike] | None = None) -> list[RgbFace | None]:
        """See `RgbTeacher`; of several faces in the crop about a box, the one nearest to its middle."""
        if boxes is None:
            return [self._face(points) for points in self._everywhere(image)]
        return [self._at(image, box) for box in boxes]

    def person(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How surely each pixel of an image (H, W, 3) RGB shows a person, 0 to 1 (H, W), by Selfie Segmentation."""
        mask = zlib.decompress(base64.b64decode(self._ask(image, "person")))
        return np.frombuffer(mask, np.uint8).reshape(image.shape[:2]).astype(np.float32) / np.float32(255)

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait()
        self._log.close()

    def _at(self, image: NDArray[np.uint8], box: ArrayLike) -> RgbFace | None:
        side = max(self.LEAST_SIDE, round(self.CROP_SCALE * float(np.asarray(box)[2:].max())))
        crop = crop_from_box(box, side, self.CROP_SCALE)
        found = self._points(sampled_colour(image, crop, (side, side)))
        if not found:
            return None
        middle = (side - 1) / 2
        nearest = min(found, key=lambda points: float(np.abs(points.mean(axis=0) - middle).max()))
        return self._face(crop(nearest))

    def _everywhere(self, image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
        """The faces of the whole image, and those of squares of its shorter side, by halves over each other.

        Face Mesh looks for faces in 128 x 128 pixels, to which the longer side is reduced. What touches a square's border within
        the image is left to the next square.
        """
        found = self._points(image)
        size = np.array([image.shape[1], image.shape[0]])
        side, longer = int(size.min()), int(size.max())
        if side == longer:
            return found
        for start in np.linspace(0, longer - side, math.ceil(2 * (longer - side) / side) + 1).round().astype(int):
            origin = np.where(size == longer, start, 0)
            left, top = origin.tolist()
            for points in self._points(image[top : top + side, left : left + side]):
                low, high = points.min(axis=0), points.max(axis=0)
                cut = ((low < 1) & (origin > 0)) | ((high > side - 2) & (origin + side < size))
                box = box_around(points + origin)
                if not cut.any() and all(iou(box, [box_around(other)])[0] < SAME_FACE for other in found):
                    found.append(points + origin)
        return found

    def _face(self, points: NDArray[np.float64]) -> RgbFace:
        confidence = np.ones(len(points))
        confidence[:17] = self.JAW_CONFIDENCE
        return RgbFace(points, confidence)

    def _points(self, image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
        return [np.array(points) for points in self._ask(image)]

    def _ask(self, image: NDArray[np.uint8], *what: str) -> Any:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{json.dumps([*image.shape[:2], *what])}\n".encode())
            self._process.stdin.write(np.ascontiguousarray(image).data)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the missing answer tells more
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        status = self._process.wait()
        self._log.seek(0)
        log = self._log.read().decode(errors="replace").strip()
        self.close()
        if "No module named" in log:
            raise TeacherError(
                f"{self._python}: {log.splitlines()[-1]}; "
                'pip install "thermal_fld_ros[teacher]" there, or name another interpreter (--teacher-python)'
            )
        raise TeacherError(f"MediaPipe ended with status {status}: {' / '.join(log.splitlines()[-3:]) or 'no message'}")


class NetworkTeacher:
    """A landmark network of this package for RGB images, with the confidence that it has learned.

    It needs boxes. Each face is looked at twice: in the crop of its box, and in that of the points found there.

    Parameters
    ----------
    checkpoint : Path
        Of a training with modality "rgb".

    Raises
    ------
    TeacherError
        It is no such checkpoint.
    """

    finds = False

    def __init__(self, checkpoint: Path) -> None:
        from thermal_fld_ros.distillation.checkpoint import load_trained
        from thermal_fld_ros.distillation.networks import LandmarkNet

        if not checkpoint.is_file():
            raise TeacherError(f'{checkpoint}: no such file, expected "mediapipe" or the checkpoint of an RGB network')
        try:
            network, state = load_trained(checkpoint)
        except Exception as error:  # whatever torch makes of a file of another kind
            raise TeacherError(f"{checkpoint}: this is not a checkpoint of this package: {error}") from error
        config = state["config"]
        if not isinstance(network, LandmarkNet) or config.get("modality") != "rgb":
            raise TeacherError(f"{checkpoint}: task {config['task']}, modality {config.get('modality', 'thermal')}, "
                               "expected a landmark network for rgb")  # fmt: skip
        self._network, self._size, self._scale = network, config["size"], config["crop_scale"]
        digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        self.about: dict[str, Any] = {"name": checkpoint.name, "sha256": digest, "git": state.get("git", "unknown")}

    def __call__(self, image: NDArray[np.uint8], boxes: Sequence[ArrayLike] | None = None) -> list[RgbFace | None]:
        """See `RgbTeacher`."""
        if boxes is None:
            raise ValueError("this teacher does not find faces by itself and needs their boxes")
        results = look_twice(partial(self._look, image), boxes, self._size, self._scale)
        return [None if result is None else result[1] for result in results]

    def close(self) -> None:
        """Nothing to let go of."""

    def _look(self, image: NDArray[np.uint8], crops: list[Affine]) -> list[RgbFace]:
        import torch

        from thermal_fld_ros.distillation.networks import confidence

        if not crops:
            return []
        size = (self._size, self._size)
        pictures = [sampled_colour(image, crop, size).astype(np.float32) / np.float32(255) for crop in crops]
        before = torch.get_num_threads()
        torch.set_num_threads(1)  # for a crop or two, more threads wait for each other
        with torch.inference_mode():
            found = self._network(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous())
            sure = confidence(found.log_spread.float()).numpy().astype(np.float64)
        torch.set_num_threads(before)
        points = found.points.numpy().astype(np.float64) * self._size + (self._size - 1) / 2
        return [RgbFace(crop(one), known) for crop, one, known in zip(crops, points, sure, strict=True)]
