# SPDX-License-Identifier: Apache-2.0
"""The node `thermal_fld_ergonomics`: posture, eyes, mouth and attention of the people whose landmarks it hears."""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.serialization import deserialize_message
from rclpy.time import Time

from thermal_fld_ros.ergonomics.person import Ergonomics, Observation, PersonErgonomics
from thermal_fld_ros.msg import FaceErgonomics, FaceErgonomicsArray, FaceLandmarks, FaceLandmarksArray
from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.diagnostics import ERROR, OK, WARN
from thermal_fld_ros.nodes.ergonomics_parameters import TABLE, ergonomics_options
from thermal_fld_ros.nodes.gravity import Gravity
from thermal_fld_ros.nodes.managed import SUCCESS, ManagedNode
from thermal_fld_ros.nodes.messages import TIME_JUMP, points_from_field
from thermal_fld_ros.nodes.parameters import Values
from thermal_fld_ros.nodes.process import run_node
from thermal_fld_ros.nodes.reception import WatchedSubscription
from thermal_fld_ros.perception.landmarker import SCHEME
from thermal_fld_ros.perception.pose import Pose
from thermal_fld_ros.srv import CalibratePosture


class ErgonomicsNode(ManagedNode):
    """Keeps a `Person` for each id, and publishes one FaceErgonomicsArray for each FaceLandmarksArray."""

    def __init__(self, **options: Any) -> None:
        self._publisher: Any = None
        self._service: Any = None
        self._gravity: Gravity | None = None
        self._landmarks: WatchedSubscription | None = None
        self._people: dict[str, PersonErgonomics] = {}
        self._stamp = 0.0
        self._published = 0
        super().__init__("thermal_fld_ergonomics", TABLE, **options)
        self.start()

    # --- lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Offer the result topic and the service."""
        try:
            self._gravity = Gravity(self, self._values)
            self._publisher = self.create_publisher(
                FaceErgonomicsArray, "face_ergonomics", qos.results(), qos_overriding_options=qos.overrides()
            )
            self._service = self.create_service(CalibratePosture, "~/calibrate", self._on_calibrate)
        except Exception as error:  # tf2_ros is missing, a QoS override
            self.close()
            return self._fail("configure", error)
        self._failure = ""
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen, knowing nobody."""
        try:
            self._people.clear()
            self._published = 0
            self._landmarks = WatchedSubscription(
                self, FaceLandmarksArray, "face_landmarks", self._on_landmarks, qos.results()
            )
        except Exception as error:  # a QoS override
            return self._fail("activate", error)
        self._failure = ""
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening."""
        self._stop()
        return SUCCESS

    def _stop(self) -> None:
        if self._landmarks is not None:
            self._landmarks.close()
            self._landmarks = None

    def close(self, failure: str = "") -> None:
        """Release everything. It may be called again."""
        self._stop()
        if self._gravity is not None:
            self._gravity.close()
            self._gravity = None
        if self._service is not None:
            self.destroy_service(self._service)
            self._service = None
        if self._publisher is not None:
            self.destroy_publisher(self._publisher)
            self._publisher = None

    # --- work

    def _on_landmarks(self, serialised: bytes) -> None:
        message = deserialize_message(serialised, FaceLandmarksArray)
        stamp = Time.from_msg(message.header.stamp).nanoseconds / 1e9
        if stamp < self._stamp - TIME_JUMP:
            self.get_logger().info(
                f"time went back by {self._stamp - stamp:.3f} s, so the state of all persons was reset"
            )
            self._people.clear()
        self._stamp = stamp
        up = self._gravity.up(message.header) if self._gravity is not None else None
        faces = []
        for face in message.faces:
            if face.scheme != SCHEME:
                self.get_logger().error(
                    f'a face was ignored, because its point scheme is "{face.scheme}" and not "{SCHEME}"',
                    throttle_duration_sec=5.0,
                )
                continue
            person = self._people.get(face.id)
            if person is None:
                person = self._people[face.id] = PersonErgonomics(ergonomics_options(self._values), stamp)
            faces.append(ergonomics_message(face, person.update(observation(face, stamp), up)))
        self._publisher.publish(FaceErgonomicsArray(header=message.header, faces=faces))
        self._published += 1
        forget = self._values["forget"]
        self._people = {name: person for name, person in self._people.items() if stamp - person.last_seen <= forget}

    def _on_calibrate(
        self, request: CalibratePosture.Request, response: CalibratePosture.Response
    ) -> CalibratePosture.Response:
        people = {name: person for name, person in self._people.items() if request.id in ("", name)}
        done = [name for name, person in people.items() if person.calibrate()]
        response.success = bool(done)
        if done:
            response.message = f"reference posture set for {', '.join(done)}"
        elif request.id and not people:
            known = ", ".join(self._people) or "nobody"
            response.message = f"there is no face with the id {request.id}; the known ids are: {known}"
        else:
            response.message = (
                "no head pose is known. Is a face visible, and does the detector have camera_info or field_of_view?"
            )
        return response

    # --- parameters and diagnostics

    def _apply(self, values: Values, changed: frozenset[str]) -> None:
        options = ergonomics_options(values)
        if self._gravity is not None and {"gravity", "camera_pitch", "camera_roll", "gravity_frame"} & changed:
            gravity = Gravity(self, values)
            self._gravity.close()
            self._gravity = gravity
        for person in self._people.values():
            person.options = options
        if "diagnostics_period" in changed:
            self._start_timer(values["diagnostics_period"])

    def _report(self) -> None:
        """Publish the node's status, and log what is wrong with the input."""
        landmarks, gravity = self._landmarks, self._gravity
        if landmarks is None or gravity is None:
            state = "unconfigured" if gravity is None else "inactive"
            self._diagnostics.publish(ERROR if self._failure else OK, self._failure or state, {"state": state})
            return
        landmarks.check(self._values["no_message_timeout"])
        counts = {"landmarks received": landmarks.received, "results published": self._published}
        rates = self._rates.update(counts)
        values: dict[str, object] = {
            "state": "active",
            "landmarks topic": landmarks.topic,
            "output rate (Hz)": rates["results published"],
            **counts,
            "people": len(self._people),
            "gravity": gravity.status,
        }
        message = landmarks.trouble or f"{len(self._people)} person(s) at {rates['results published']:.1f} Hz"
        self._diagnostics.publish(WARN if landmarks.trouble else OK, message, values)


def observation(face: FaceLandmarks, stamp: float) -> Observation:
    """The observation of a face in a message."""
    pose = None
    if face.pose_valid:
        position, turn = face.pose.position, face.pose.orientation
        pose = Pose(
            np.array([position.x, position.y, position.z]),
            np.array([turn.x, turn.y, turn.z, turn.w]),
            face.pose_error,
            face.pose_approximate,
        )
    return Observation(
        stamp,
        points_from_field(face.points),
        np.frombuffer(face.confidence, np.float32),
        pose,
        dict(zip(face.temperature_names, face.temperatures, strict=True)),
    )


def ergonomics_message(face: FaceLandmarks, known: Ergonomics) -> FaceErgonomics:
    """What is known of a person as a message."""
    message = FaceErgonomics(header=face.header, id=face.id)
    message.neck_flexion, message.neck_lateral_bend = known.neck.flexion, known.neck.lateral_bend
    message.neck_twist = known.neck.twist
    for name, value in vars(known).items():
        if name != "neck":
            setattr(message, name, int(value) if name == "iso_11226" else value)
    return message


def main(args: list[str] | None = None) -> None:
    """Run the node until it is interrupted."""
    run_node("thermal_fld_ergonomics", ErgonomicsNode, args)


if __name__ == "__main__":
    main()
