# SPDX-License-Identifier: Apache-2.0
"""What happens to an image in the detector node's own thread: decode, find faces, publish, draw."""

from __future__ import annotations

import time
import traceback

import cv2
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.camera import CameraIntrinsics
from thermal_fld_ros.nodes.detector_parameters import decoding, pipeline_options
from thermal_fld_ros.nodes.diagnostics import Latencies, Refusals
from thermal_fld_ros.nodes.humans import HumansPublisher, unique_prefix
from thermal_fld_ros.nodes.messages import TIME_JUMP, ReceivedImage, decoded, face_message, received
from thermal_fld_ros.nodes.overlay import OverlayPublisher
from thermal_fld_ros.nodes.parameters import Values
from thermal_fld_ros.perception.decoding import GREY_ENCODINGS, ImageError, ThermalFrame
from thermal_fld_ros.perception.pipeline import Camera, Face, Pipeline
from thermal_fld_ros.perception.shutter import ShutterState

LOOK_EVERY = 150
"""Frames between two looks at what is odd about them."""

MODELS = frozenset({"detector_model", "landmark_model"})
"""Parameters that, when they are set, load the files anew, be the paths the same."""

ROWS = frozenset({"rows_top", "rows_bottom"})


class Processor:
    """Everything that exists while the node is configured: models, result topics, counts since the activation.

    Called in the images' thread with a serialised message of a kind and the monotonic time in seconds of its arrival, it lets nothing
    escape. The rest is for the executor's thread.

    Attributes
    ----------
    published, shutter_frames, repeated : int
        Results, images of a closed shutter, from which there are none, and results for images that the camera sent once more.
    refusals : Refusals
        Images that could not be used, by reason.
    time_jumps : int
        How often the images' stamps went back.
    latencies : Latencies
        From arrival to published result.
    faces : int
        In the last result.
    frame_id : str
        Of the last image.
    oddities : list of str
        What looks wrong with the images, though they can be used.
    fallback : str
        What runs elsewhere than on the provider that was asked for.
    """

    def __init__(self, node: Node, values: Values) -> None:
        self._node = node
        self._logger = node.get_logger()
        self._values = values
        self._decoding = decoding(values)
        self.pipeline = Pipeline(pipeline_options(values), unique_prefix())
        cv2.setNumThreads(values["threads"])
        self.camera = CameraIntrinsics(self._logger.warning)
        self._assumed = ""
        self._publisher = node.create_publisher(
            FaceLandmarksArray, "face_landmarks", qos.results(), qos_overriding_options=qos.overrides()
        )
        self._overlay = OverlayPublisher(node)
        self._humans = HumansPublisher(node) if values["humans"] else None
        self._announce_models()
        self.reset()

    def reset(self) -> None:
        """Reset: forget all faces and set all counts to zero."""
        self.pipeline.reset()
        self.published = self.shutter_frames = self.repeated = self.faces = self.time_jumps = 0
        self.refusals, self.latencies = Refusals(), Latencies()
        self.frame_id = ""
        self.oddities: list[str] = []
        self._until_look = 0
        self._rows = 0
        self._last_stamp = 0.0
        self._last_arrival, self._interval = time.monotonic(), 1.0 / 30.0

    def update(self, values: Values, changed: frozenset[str]) -> None:
        """Take new parameter values from the next image on. Raises ValueError or ModelError and leaves all as it was."""
        new_decoding = decoding(values)
        if changed & ROWS and 0 < self._rows <= sum(new_decoding.rows):
            raise ValueError(
                f"rows_top and rows_bottom are {new_decoding.rows}, but the image has only {self._rows} rows"
            )
        before = self.pipeline.detector, self.pipeline.landmarker
        self.pipeline.update(pipeline_options(values), reload=bool(changed & MODELS))
        cv2.setNumThreads(values["threads"])
        self._decoding, self._values = new_decoding, values
        self._until_look = 0
        if (self.pipeline.detector, self.pipeline.landmarker) != before:
            self._announce_models()

    def _announce_models(self) -> None:
        wanted, elsewhere = self._values["provider"], []
        for model in (self.pipeline.detector.model, self.pipeline.landmarker.model):
            self._logger.info(f"model {model.name} ({model.path}, sha256 {model.sha256[:12]}) runs on {model.provider}")
            if wanted not in ("auto", model.provider):
                elsewhere.append(f"{model.name} runs on {model.provider}, because {wanted} is not available")
        self.fallback = "; ".join(elsewhere)
        if elsewhere:
            self._logger.warning(self.fallback)

    def rest(self) -> None:
        """The node is deactivated: nobody is seen any more."""
        if self._humans is not None:
            self._humans.clear()

    def close(self) -> None:
        """Take the result topics away."""
        if self._humans is not None:
            self._humans.close()
        self._overlay.close()
        self._node.destroy_publisher(self._publisher)

    def status(self) -> dict[str, object]:
        """The values for the diagnostics."""
        detector, landmarker = self.pipeline.detector.model, self.pipeline.landmarker.model
        statistics = self.pipeline.statistics
        return {
            "faces": self.faces,
            "detections": statistics.detections,
            "identities": statistics.tracks_created,
            "faces lost": statistics.tracks_lost,
            "shutter": self.pipeline.shutter_state.value,
            "time jumps": self.time_jumps,
            "detector model": f"{detector.name} {detector.sha256}",
            "detector provider": detector.provider,
            "landmark model": f"{landmarker.name} {landmarker.sha256}",
            "landmark provider": landmarker.provider,
            "calibration": self.camera.status + self._assumed,
        }

    def __call__(self, kind: type[Image | CompressedImage], serialised: bytes, arrived: float) -> None:
        """Process one image."""
        try:
            self._process(received(kind, serialised), arrived)
        except ImageError as error:
            self._refuse(error.reason, str(error))
        except Exception as error:  # whatever it is, the next image may be fine
            if self._node.context.ok():
                self._refuse("internal", f"{type(error).__name__}: {error}\n{traceback.format_exc()}")

    def _process(self, image: ReceivedImage | CompressedImage, arrived: float) -> None:
        values = self._values
        started = time.monotonic()
        frame, encoding = decoded(image, self._decoding)
        self.frame_id, self._rows = image.header.frame_id, frame.image_size[1]
        self._look_for_oddities(frame, encoding)
        camera = self._camera(frame)
        faces = self.pipeline(frame, self._stamp(image), camera)
        if self.pipeline.shutter_state.closed:
            self.shutter_frames += 1
            return
        self.repeated += self.pipeline.shutter_state is ShutterState.REPEATED
        self._publish(frame, image.header, faces, started)
        if self._humans is not None:
            self._humans.publish(image.header, frame, faces)
        self.latencies.add(time.monotonic() - arrived)
        self.published, self.faces = self.published + 1, len(faces)
        self._overlay.publish(frame, faces, image.header, values, camera, self._notes(arrived))

    def _notes(self, arrived: float) -> list[str]:
        """Rate of the images that were processed, and latency, for the overlay."""
        interval, self._last_arrival = arrived - self._last_arrival, arrived
        self._interval += 0.1 * (min(max(interval, 0.0), 1.0) - self._interval)
        return [f"{1.0 / max(self._interval, 1e-3):.1f} Hz  {self.latencies.median_ms():.0f} ms"]

    def _camera(self, frame: ThermalFrame) -> Camera | None:
        """The calibrated camera, else one of the assumed field of view, if there is any."""
        camera, degrees = self.camera.of(frame), self._values["field_of_view"]
        self._assumed = ""
        if camera is None and degrees > 0.0:
            self._assumed = f"; a field of view of {degrees:g} degrees is assumed"
            return Camera.from_field_of_view(frame.image_size, degrees)
        return camera

    def _publish(self, frame: ThermalFrame, header: Header, faces: list[Face], started: float) -> None:
        model = self.pipeline.landmarker.model
        result = FaceLandmarksArray(
            header=header,
            image_width=frame.image_size[0],
            image_height=frame.image_size[1],
            model_name=model.name,
            model_hash=model.sha256,
            faces=[face_message(face, header) for face in faces],
            repeated=self.pipeline.shutter_state is ShutterState.REPEATED,
        )
        result.processing_time = time.monotonic() - started
        self._publisher.publish(result)

    def _stamp(self, image: ReceivedImage | CompressedImage) -> float:
        """The image's time in s; where the driver sets none, the node's clock."""
        header = image.header.stamp
        stamp = header.sec + 1e-9 * header.nanosec
        if stamp == 0.0:
            stamp = 1e-9 * self._node.get_clock().now().nanoseconds
        if stamp < self._last_stamp - TIME_JUMP:
            text = f"time went back by {self._last_stamp - stamp:.3f} s, so all tracked faces were dropped"
            self._logger.warning(text, throttle_duration_sec=5.0)
            self.time_jumps += 1
            self.pipeline.reset()
        self._last_stamp = stamp
        return stamp

    def _look_for_oddities(self, frame: ThermalFrame, encoding: str) -> None:
        """Now and then: what is usable and yet looks wrong."""
        self._until_look -= 1
        if self._until_look > 0:
            return
        self._until_look = LOOK_EVERY
        found = frame.warnings()
        if encoding not in GREY_ENCODINGS:
            found.append(
                f"{encoding} images show a colour palette and are converted to grey. Set the camera to its raw format for better results"
            )
        if found and not self.oddities:
            self._logger.warning("; ".join(found))
        self.oddities = found

    def _refuse(self, reason: str, text: str) -> None:
        line = self.refusals.add(reason, text)
        if line:
            self._logger.error(f"image refused: {line}")
