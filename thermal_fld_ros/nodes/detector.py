# SPDX-License-Identifier: Apache-2.0
"""The node `thermal_fld_detector`: thermal images in, facial landmarks out.

Models are loaded in `configure`, subscriptions and the images' thread exist while the node is active, `cleanup` releases the models.
The executor serves everything but the images; what happens to an image is in `nodes/processing.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.detector_parameters import TABLE, decoding, pipeline_options
from thermal_fld_ros.nodes.diagnostics import ERROR, OK, WARN
from thermal_fld_ros.nodes.managed import SUCCESS, ManagedNode
from thermal_fld_ros.nodes.parameters import Values
from thermal_fld_ros.nodes.process import run_node
from thermal_fld_ros.nodes.processing import Processor
from thermal_fld_ros.nodes.reader import RCLError
from thermal_fld_ros.nodes.reception import WatchedSubscription
from thermal_fld_ros.perception.compression import is_compressed
from thermal_fld_ros.perception.models import ModelError

REPLACED_SHARE = 0.1
"""Share of images that may be replaced unseen before the node calls itself too slow."""


class DetectorNode(ManagedNode):
    """Lifecycle, parameters and diagnostics of the detector."""

    def __init__(self, **options: Any) -> None:
        self._processor: Processor | None = None
        self.images: WatchedSubscription | None = None
        self._camera_info: Any = None
        super().__init__("thermal_fld_detector", TABLE, **options)
        self.start()

    # --- lifecycle; rclpy hides exceptions in these, so whatever fails is caught and said here

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the models and offer the result topics."""
        try:
            self._processor = Processor(self, self._values)
        except Exception as error:  # a model, a QoS override
            return self._fail("configure", error)
        self._failure = ""
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen."""
        assert self._processor is not None
        try:
            self._processor.reset()
            self._listen(self._values)
            self._camera_info = self.create_subscription(
                CameraInfo,
                "camera_info",
                self._processor.camera.update,
                qos.camera_info(),
                qos_overriding_options=qos.overrides(),
            )
        except Exception as error:  # a QoS override
            self._stop()
            return self._fail("activate", error)
        self._failure = ""
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening and let the image in work finish."""
        self._stop()
        if self._processor is not None:
            self._processor.rest()
        return SUCCESS

    def close(self, failure: str = "") -> None:
        """End the images' thread and release what `configure` made. It may be called again."""
        self._stop()
        if self._processor is not None:
            self._processor.close()
            self._processor = None

    # --- input

    def _listen(self, values: Values) -> None:
        """Subscribe to the images, in place of the subscription that there is; raises ValueError and keeps that one."""
        before = self.images
        if before is not None:
            before.close()
        try:
            self.images = self._image_subscription(values)
        except RCLError as error:  # one process cannot have one topic with two types
            if before is None:
                raise
            self.images = self._image_subscription(self._settings.values)
            raise ValueError(f"cannot subscribe with transport {values['transport']}: {error}") from error
        finally:
            if before is not None and self.images is not None:
                self.images.continue_from(before)

    def _image_subscription(self, values: Values) -> WatchedSubscription:
        assert self._processor is not None
        profile = qos.images(values["image_reliability"])
        compressed = is_compressed(values["transport"], self.resolve_topic_name("image"))
        kind = CompressedImage if compressed else Image
        take = partial(self._processor, kind)
        return WatchedSubscription(self, kind, "image", take, profile, thread="thermal_fld_images")

    def _stop(self) -> None:
        if self.images is not None:
            self.images.close()
            self.images = None
        if self._camera_info is not None:
            self.destroy_subscription(self._camera_info)
            self._camera_info = None

    # --- parameters

    def _apply(self, values: Values, changed: frozenset[str]) -> None:
        """Make changed parameters take effect, or raise ValueError with the reason and leave everything as it was."""
        anew = bool(changed & {"image_reliability", "transport"}) and self.images is not None
        if anew:
            self._listen(values)
        try:
            if self._processor is not None:
                self._processor.update(values, changed)
            else:
                decoding(values)
                pipeline_options(values)
        except (ModelError, ValueError) as error:
            if anew:
                self._listen(self._settings.values)
            raise ValueError(str(error)) from error
        if "diagnostics_period" in changed:
            self._start_timer(values["diagnostics_period"])

    # --- diagnostics

    def _report(self) -> None:
        """Publish the node's status, and log what is wrong with the input."""
        processor, images = self._processor, self.images
        if processor is None or images is None:
            state = "unconfigured" if processor is None else "inactive"
            self._diagnostics.publish(ERROR if self._failure else OK, self._failure or state, {"state": state})
            return
        images.check(self._values["no_image_timeout"])
        counts = {
            "images received": images.received,
            "images lost on the way": images.lost,
            "images replaced unseen": images.replaced,
            "images refused": processor.refusals.total,
            "shutter frames": processor.shutter_frames,
            "images repeated": processor.repeated,
            "results published": processor.published,
        }
        rates = self._rates.update(counts)
        values: dict[str, object] = {
            "state": "active",
            "image topic": images.topic,
            "image QoS": images.qos,
            "input rate (Hz)": rates["images received"],
            "output rate (Hz)": rates["results published"],
            "latency median (ms)": processor.latencies.median_ms(),
            **counts,
            **{f"images refused: {reason}": count for reason, count in processor.refusals.counts().items()},
            **processor.status(),
        }
        level, message = self._judge(processor, images, rates)
        self._diagnostics.publish(level, message, values, processor.frame_id)

    @staticmethod
    def _judge(processor: Processor, images: WatchedSubscription, rates: Mapping[str, float]) -> tuple[bytes, str]:
        """Level and message of the status."""
        refused = rates["images refused"] > 0.0
        too_slow = rates["images replaced unseen"] > REPLACED_SHARE * rates["images received"]
        problems = [
            f"images are refused: {processor.refusals.latest}" if refused else "",
            images.trouble,
            processor.fallback,
            "slower than the camera: some images are skipped" if too_slow else "",
            *processor.oddities,
        ]
        problems = [problem for problem in problems if problem]
        if problems:
            return ERROR if refused else WARN, "; ".join(problems)
        if rates["shutter frames"] > 0.0:
            return OK, "the shutter is closed"
        return OK, f"{processor.faces} face(s) at {rates['results published']:.1f} Hz"


def main(args: list[str] | None = None) -> None:
    """Run the node until it is interrupted."""
    run_node("thermal_fld_detector", DetectorNode, args)


if __name__ == "__main__":
    main()
