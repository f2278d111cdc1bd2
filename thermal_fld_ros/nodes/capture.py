# SPDX-License-Identifier: Apache-2.0
"""The node `thermal_fld_capture`: pairs of thermal and RGB images into a bag.

While the node is active it listens and makes pairs; a pair goes into the bag of the episode, if there is one. The executor's thread only
matches stamps and enqueues the serialised bytes as they came; a thread of the episode decides and writes (`capture/episode.py`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger

from thermal_fld_ros.capture.bag import check_rosbags
from thermal_fld_ros.capture.episode import Episode, Label, new_folder
from thermal_fld_ros.capture.memory import keep_large_blocks
from thermal_fld_ros.capture.pair import CapturedPair
from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes import qos
from thermal_fld_ros.nodes.capture_parameters import LIVE, PAIRING, TABLE, episode_options, message_types
from thermal_fld_ros.nodes.diagnostics import ERROR, OK, WARN
from thermal_fld_ros.nodes.managed import SUCCESS, ManagedNode
from thermal_fld_ros.nodes.pairing import Pairing
from thermal_fld_ros.nodes.parameters import Values
from thermal_fld_ros.nodes.process import run_node
from thermal_fld_ros.nodes.reception import WatchedSubscription, type_name
from thermal_fld_ros.recordings.manifest import is_unfinished
from thermal_fld_ros.recordings.messages import LANDMARKS, RGB, TF_MESSAGE, TF_STATIC, THERMAL, Topic, types
from thermal_fld_ros.srv import StartEpisode

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # not among the ROS 2 wheels
    TFMessage = None

TYPES = {type_name(kind): kind for kind in (Image, CompressedImage, CameraInfo, FaceLandmarksArray)}
TOPICS = {
    THERMAL: "thermal/image",
    RGB: "rgb/image",
    f"{THERMAL}_info": "thermal/camera_info",
    f"{RGB}_info": "rgb/camera_info",
    LANDMARKS: "face_landmarks",
}


class CaptureNode(ManagedNode):
    """Lifecycle, parameters, services and diagnostics of the recording."""

    def __init__(self, **options: Any) -> None:
        self._subscriptions_of: dict[str, WatchedSubscription] = {}
        self._pairing: Pairing | None = None
        self._episode: Episode | None = None
        self._episode_services: list[Any] = []
        self._tf_subscription: Any = None
        self._transforms: dict[bytes, None] = {}
        super().__init__("thermal_fld_capture", TABLE, **options)
        self.start()

    # --- lifecycle; rclpy hides exceptions in these, so whatever fails is caught and said here

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Check the settings, load the message definitions and offer the services."""
        try:
            episode_options(self._values)
            check_rosbags()
            types()
            self._episode_services = [
                self.create_service(StartEpisode, "~/start_episode", self._on_start),
                self.create_service(Trigger, "~/stop_episode", self._on_stop),
            ]
            self._look_for_unfinished_bags()
        except Exception as error:
            return self._fail("configure", error)
        self._failure = ""
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen and make pairs; record them, unless the service is to begin that."""
        try:
            self._listen(self._values)
            if self._values["record"]:
                self._begin(Label(self._values["subject"], self._values["consent"]))
        except Exception as error:  # a QoS override, a folder that cannot be written
            self._stop()
            return self._fail("activate", error)
        self._failure = ""
        return SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Finish the bag and stop listening."""
        self._stop("deactivated")
        return SUCCESS

    def close(self, failure: str = "") -> None:
        """Finish the bag and release what `configure` made. It may be called again."""
        self._stop("the node has ended", failure)
        for service in self._episode_services:
            self.destroy_service(service)
        self._episode_services = []

    # --- input

    def _listen(self, values: Values) -> None:
        """Replace the present subscriptions by new ones."""
        self._end_subscriptions()
        roles = self._message_types(values)
        self._pairing = Pairing(
            self,
            list(roles),
            self._on_pair,
            slop=values["slop"],
            clock_offset=values["clock_offset"],
            queue_size=values["pairing_queue"],
        )
        profile = qos.recorded(values["reliability"])
        for role, name in roles.items():
            take = partial(self._pairing.add, role)
            self._subscriptions_of[role] = WatchedSubscription(self, TYPES[name], TOPICS[role], take, profile)

        if values["camera_info"] != "none":
            self._listen_for_transforms()

    def _message_types(self, values: Values) -> dict[str, str]:
        return message_types(values, {role: self.resolve_topic_name(TOPICS[role]) for role in (THERMAL, RGB)})

    def _listen_for_transforms(self) -> None:
        """Where the cameras are goes with their calibration, where somebody says it."""
        if TFMessage is None:
            self.get_logger().warning("/tf_static is not recorded, because the package tf2_msgs is not installed")
            return
        self._tf_subscription = self.create_subscription(
            TFMessage, "/tf_static", self._on_transforms, qos.transforms(), raw=True
        )

    def _on_transforms(self, message: bytes) -> None:
        if message not in self._transforms:
            self._transforms[message] = None
            if self._episode is not None:
                self._episode.put_transforms(message)

    def _end_subscriptions(self) -> None:
        for subscription in self._subscriptions_of.values():
            subscription.close()
        self._subscriptions_of = {}
        if self._tf_subscription is not None:
            self.destroy_subscription(self._tf_subscription)
        self._tf_subscription, self._transforms = None, {}

    def _on_pair(self, pair: CapturedPair) -> None:
        if self._episode is not None:
            self._episode.put(pair)

    def _stop(self, reason: str = "stopped", failure: str = "") -> None:
        self._end(reason, failure)
        self._end_subscriptions()
        self._pairing = None

    # --- episodes

    def _begin(self, label: Label) -> Episode:
        """Begin an episode; raises ValueError or OSError where that cannot be."""
        assert self._pairing is not None
        pairing, values = self._pairing, self._values
        output = Path(values["output"]).expanduser().absolute()
        roles = self._message_types(values)
        topics = {role: Topic(self._subscriptions_of[role].topic, name) for role, name in roles.items()}
        if self._tf_subscription is not None:
            topics[TF_STATIC] = Topic(self._tf_subscription.topic_name, TF_MESSAGE, latched=True)
        pairing.reset()
        lost_before = {role: subscription.lost for role, subscription in self._subscriptions_of.items()}
        subscriptions = dict(self._subscriptions_of)

        def reception() -> dict[str, Any]:
            report = pairing.report()
            for role, messages in report["messages"].items():
                messages["lost on the way"] = subscriptions[role].lost - lost_before[role]
            return report

        options, log = episode_options(values), self.get_logger().error
        while True:
            folder = new_folder(output, label.subject)
            try:
                episode = Episode(folder, topics, options, label, values, reception, log)
                break
            except FileExistsError:  # another recording took the name in between
                if not folder.exists():
                    raise
        self._episode = episode
        for message in self._transforms:
            episode.put_transforms(message)
        self.get_logger().info(f"recording {episode.folder}")
        if not label.consent:
            self.get_logger().warning(
                "no consent was given, so the manifest will not mention any: set the parameter consent"
            )
        return episode

    def _end(self, reason: str, failure: str = "") -> Episode | None:
        episode, self._episode = self._episode, None
        if episode is not None:
            episode.stop(reason, failure)
            if not episode.failure:
                self.get_logger().info(f"{episode.folder} is finished: {episode.written} of {episode.matched} pairs")
        return episode

    def _on_start(self, request: StartEpisode.Request, response: StartEpisode.Response) -> StartEpisode.Response:
        if self._pairing is None:
            response.message = "the node is not active"
            return response
        label = Label(
            request.subject or self._values["subject"], request.consent or self._values["consent"], request.note
        )
        self._end("another episode was started")
        try:
            response.bag = str(self._begin(label).folder)
        except (ValueError, OSError) as error:
            response.message = str(error)
            self.get_logger().error(f"the episode could not be started: {error}")
        response.success = not response.message
        return response

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        episode = self._end("stopped by the service")
        if episode is None:
            response.message = "nothing is being recorded"
        else:
            response.success = not episode.failure
            response.message = episode.failure or f"{episode.folder}: {episode.written} pairs"
        return response

    def _look_for_unfinished_bags(self) -> None:
        output = Path(self._values["output"]).expanduser().absolute()
        folders = sorted(path for path in output.iterdir() if path.is_dir()) if output.is_dir() else []
        unfinished = [str(folder) for folder in folders if is_unfinished(folder)]
        if unfinished:
            command = f"python -m thermal_fld_ros recover {' '.join(unfinished)}"
            self.get_logger().warning(
                f"found a recording that was not finished or is still in progress. To finish it, run: {command}"
            )

    # --- parameters

    def _apply(self, values: Values, changed: frozenset[str]) -> None:
        """Make changed parameters take effect, or raise ValueError with the reason and leave everything as it was."""
        if self._episode is not None and not self._episode.ended and changed - LIVE:
            raise ValueError(
                "this parameter cannot be changed while an episode is being recorded: stop the episode first"
            )
        episode_options(values)
        if changed & PAIRING and self._pairing is not None:
            self._listen(values)
        if "diagnostics_period" in changed:
            self._start_timer(values["diagnostics_period"])

    # --- diagnostics

    def _report(self) -> None:
        """Publish the node's status, and log what is wrong with the input."""
        pairing, episode = self._pairing, self._episode
        if pairing is None:
            state = "inactive" if self._episode_services else "unconfigured"
            self._diagnostics.publish(ERROR if self._failure else OK, self._failure or state, {"state": state})
            return
        for subscription in self._subscriptions_of.values():
            subscription.check(self._values["no_message_timeout"])
        received = {role: subscription.received for role, subscription in self._subscriptions_of.items()}
        rates = self._rates.update(
            {**received, "pairs": pairing.counts.pairs, "bytes": episode.written_bytes if episode else 0}
        )
        values: dict[str, object] = {"state": "active", **self._input_status(pairing, rates)}
        if episode is not None:
            values |= self._episode_status(episode, rates)
        level, message = self._judge(pairing, episode, rates)
        self._diagnostics.publish(level, message, values)

    def _input_status(self, pairing: Pairing, rates: dict[str, float]) -> dict[str, object]:
        values: dict[str, object] = {}
        for role, subscription in self._subscriptions_of.items():
            values |= {
                f"{role} topic": subscription.topic,
                f"{role} QoS": subscription.qos,
                f"{role} rate (Hz)": rates[role],
                f"{role} received": pairing.counts.received[role],
                f"{role} lost on the way": subscription.lost,
                f"{role} unpaired": pairing.unpaired(role),
                f"{role} waiting": pairing.waiting(role),
            }
        values |= {"pairs": pairing.counts.pairs, "pair rate (Hz)": rates["pairs"]}
        values |= {f"gap {name} (ms)": value for name, value in pairing.gap_statistics().items()}
        if self._tf_subscription is not None:
            values["camera transforms"] = len(self._transforms)
        return {**values, "time jumps": pairing.counts.time_jumps}

    @staticmethod
    def _episode_status(episode: Episode, rates: dict[str, float]) -> dict[str, object]:
        return {
            "episode": str(episode.folder),
            "pairs written": episode.written,
            "pairs dropped": episode.dropped,
            "pairs discarded": episode.discarded,
            **{f"pairs left out: {gate}": count for gate, count in dict(episode.gated).items()},
            "write queue (MB)": episode.waiting_bytes / 1e6,
            "written (MB)": episode.written_bytes / 1e6,
            "write rate (MB/s)": rates["bytes"] / 1e6,
        }

    def _judge(self, pairing: Pairing, episode: Episode | None, rates: dict[str, float]) -> tuple[bytes, str]:
        """Level and message of the status."""
        failure = episode.failure if episode else ""
        unreadable = episode.unreadable if episode else ""
        problems = [
            failure,
            *(subscription.trouble for subscription in self._subscriptions_of.values()),
            pairing.trouble(rates, rates["pairs"]),
            f"{episode.dropped} pairs were dropped, because the disk is too slow"
            if episode and episode.dropped
            else "",
            f"closed shutters cannot be detected: {unreadable}" if unreadable else "",
        ]
        problems = [problem for problem in problems if problem]
        if problems:
            return ERROR if failure else WARN, "; ".join(problems)
        doing = f"recording {episode.folder.name}" if episode else "not recording"
        return OK, f"{doing}: {rates['pairs']:.1f} pairs a second"


def main(args: list[str] | None = None) -> None:
    """Run the node until it is interrupted."""
    keep_large_blocks()
    run_node("thermal_fld_capture", CaptureNode, args)


if __name__ == "__main__":
    main()
