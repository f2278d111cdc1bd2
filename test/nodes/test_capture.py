# SPDX-License-Identifier: Apache-2.0
"""What cameras publish is in the bag as it was, in pairs, and every message is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from capture_messages import contents, transforms
from capture_rig import SECOND, CaptureRig
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import CompressedImage, Image

from thermal_fld_ros.nodes.capture import TOPICS
from thermal_fld_ros.nodes.capture_parameters import TABLE
from thermal_fld_ros.recordings.messages import LANDMARKS, RGB, THERMAL

ROOT = Path(__file__).parents[2]
IMAGES = (THERMAL, RGB)
ALL = (THERMAL, RGB, f"{THERMAL}_info", f"{RGB}_info", LANDMARKS)


def recorded(capture: CaptureRig) -> list[dict[str, bytes]]:
    """Pairs of the bag in their order, by role."""
    roles = {topic["name"]: role for role, topic in capture.manifest()["topics"].items()}
    return [{roles[topic]: data for topic, data in pair.items()} for pair in contents(capture.bag).values()]


def test_nine_and_thirty_hertz_with_jitter_and_missing_frames(capture: CaptureRig) -> None:
    capture.start(slop=0.025)
    capture.connect(*IMAGES)
    assert capture.begin("s01", consent="form 7").success
    start = capture.now(10.0)
    frames = [(start + round(number / 9 * SECOND), THERMAL, number) for number in range(18)]
    frames += [
        (start + round(number / 30 * SECOND) + (number * 7919 % 9 - 4) * 1_000_000, RGB, number)
        for number in range(60)
        if number % 11
    ]
    sent: dict[str, dict[int, bytes]] = {THERMAL: {}, RGB: {}}
    for stamp, role, _ in sorted(frames):
        sent[role][stamp] = capture.send(role, stamp)
    capture.wait_for_received({THERMAL: 18, RGB: 54})
    capture.end()

    pairs = recorded(capture)
    stamps = {role: {data: stamp for stamp, data in messages.items()} for role, messages in sent.items()}
    gaps = [stamps[RGB][pair[RGB]] - stamps[THERMAL][pair[THERMAL]] for pair in pairs]
    assert len(pairs) >= 15 and max(map(abs, gaps)) < 25_000_000
    manifest = capture.manifest()
    assert manifest["pairs"] == {
        "matched": len(pairs),
        "written": len(pairs),
        "gated": {},
        "dropped": 0,
        "discarded": 0,
    }
    for role, count in ((THERMAL, 18), (RGB, 54)):
        messages = manifest["messages"][role]
        assert (messages["received"], messages["lost on the way"]) == (count, 0)
        assert 0 <= messages["unpaired"] <= count - len(pairs), "some may have waited still"
    assert sum(manifest["gap_ms"]["histogram"].values()) == len(pairs)
    assert manifest["gap_ms"]["least"] == round(min(gaps) / 1e6)
    assert (manifest["subject"], manifest["consent"], manifest["state"]) == ("s01", "form 7", "complete")


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_all_topics_are_recorded_with_the_publishers_types(capture: CaptureRig, storage: str) -> None:
    capture.start(camera_info="both", face_landmarks=True, storage=storage)
    capture.connect(*ALL)
    capture.begin()
    pairs = [capture.send_pair(*ALL, shift=0.004) for _ in range(5)]
    capture.wait_for_received(dict.fromkeys(ALL, 5))
    capture.end()
    assert recorded(capture) == pairs
    with Reader(capture.bag) as reader:
        for connection in (one for one in reader.connections if one.topic != "/tf_static"):
            (publisher,) = capture.node.get_publishers_info_by_topic(connection.topic)
            assert publisher.topic_type == connection.msgtype
            if hasattr(publisher, "topic_type_hash"):  # from Iron on
                assert str(publisher.topic_type_hash) == connection.digest


def test_where_the_cameras_are_goes_with_their_calibration(
    capture: CaptureRig, interfaces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tf2_msgs.msg import TFMessage

    # the wheels lack tf2_msgs: the node was imported before its like was built
    monkeypatch.setattr("thermal_fld_ros.nodes.capture.TFMessage", TFMessage)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    places = [transforms(("base", child, (1, 2, 3), (0, 0, 0, 1))) for child in ("thermal", "rgb", "lamp")]
    publishers = [capture.node.create_publisher(TFMessage, "/tf_static", latched) for _ in places]
    for publisher, place in zip(publishers[:2], places, strict=False):
        publisher.publish(place)  # long before anybody listens
    capture.start(camera_info="both")
    roles = (*IMAGES, f"{THERMAL}_info", f"{RGB}_info")
    capture.connect(*roles)
    capture.wait_for(lambda: capture.values().get("camera transforms") == "2", "both places")
    capture.begin()
    publishers[2].publish(places[2])
    capture.send_pair(*roles)
    capture.wait_for(lambda: capture.values().get("camera transforms") == "3", "the third place")
    capture.end()
    with Reader(capture.bag) as reader:
        recorded = [bytes(data) for one, _, data in reader.messages() if one.topic == "/tf_static"]
    assert sorted(recorded) == sorted(places)


def test_compressed_images_are_recorded_as_they_are(capture: CaptureRig) -> None:
    capture.start(rgb_transport="compressed")
    capture.connect(*IMAGES, types={RGB: CompressedImage})
    capture.begin()
    pairs = [capture.send_pair(*IMAGES) for _ in range(3)]
    capture.wait_for_received(dict.fromkeys(IMAGES, 3))
    capture.end()
    assert recorded(capture) == pairs


def test_the_depth_transport_is_recorded_as_it_is_and_its_shutter_is_told(capture: CaptureRig) -> None:
    """Repeats of a slow camera are recorded, what stays longer than its frame time is left out."""
    topic = f"{TOPICS[THERMAL]}/compressedDepth"
    capture.depth = True
    capture.start(arguments=("-r", f"{TOPICS[THERMAL]}:={topic}"), skip_shutter=True)
    capture.connect(*IMAGES, types={THERMAL: CompressedImage}, topics={THERMAL: topic})
    capture.begin()
    pairs = [capture.send_pair(*IMAGES) for _ in range(4)]
    capture.frozen = True
    pairs.append(capture.send_pair(*IMAGES))  # 0.1 s later
    for _ in range(3):
        capture.send_pair(*IMAGES)
    capture.wait_for_received(dict.fromkeys(IMAGES, 8))
    capture.end()
    assert recorded(capture) == pairs
    assert capture.manifest()["pairs"]["gated"] == {"shutter": 3}


@pytest.mark.parametrize("offset", [3.5, -3.5])
def test_clocks_that_differ(capture: CaptureRig, offset: float) -> None:
    capture.start(clock_offset=offset)
    capture.connect(*IMAGES, shift=0.003 - offset)
    assert float(capture.values()["gap median (ms)"]) == 3.0


def test_the_difference_of_clocks_is_told_where_there_are_no_pairs(capture: CaptureRig) -> None:
    capture.start()
    capture.offer(*IMAGES)

    def told() -> bool:
        capture.send_pair(*IMAGES, shift=7.25)
        return bool(capture.statuses) and "stamp differs by +7." in capture.statuses[-1].message

    capture.wait_for(told, "the difference")
    assert "clock_offset" in capture.statuses[-1].message and capture.statuses[-1].level == DiagnosticStatus.WARN


def test_time_that_goes_back_is_told_and_pairs_go_on(capture: CaptureRig) -> None:
    capture.start()
    capture.connect(*IMAGES)
    capture.begin()
    before = [capture.send_pair(*IMAGES) for _ in range(3)]
    capture.wait_for_received(dict.fromkeys(IMAGES, 3))
    capture.now(-1000.0)
    after = [capture.send_pair(*IMAGES) for _ in range(3)]
    capture.wait_for_received(dict.fromkeys(IMAGES, 6))
    capture.end()
    assert recorded(capture) == before + after
    assert capture.manifest()["time_jumps"] == 1
    assert "time went back by 999.900 s on" in capture.wait_for_log("time went back")


def test_a_late_starter_and_a_camera_that_stops_are_named(capture: CaptureRig) -> None:
    capture.start(no_message_timeout=0.5)
    thermal = f"{capture.namespace}/thermal/image"
    assert "it has no publisher" in capture.wait_for_log(f"nothing on {thermal}")
    capture.connect(*IMAGES)
    capture.wait_for_log(f"{thermal}: messages arrive")
    capture.begin()

    def stopped() -> bool:
        capture.send(RGB, capture.now(0.1))
        return (
            "none of them sends" in capture.statuses[-1].message
            and f"nothing arrives on {THERMAL}" not in capture.statuses[-1].message
        )

    capture.wait_for(stopped, "the report of the silent camera")
    assert any(f"nothing on {thermal}" in line and "none of them sends" in line for line in capture.logs)
    pair = capture.send_pair(*IMAGES)
    capture.wait_for(lambda: capture.values()["pairs"] == "1", "the pair after the silence")
    capture.end()
    assert recorded(capture) == [pair]


def test_an_incompatible_qos_is_named(capture: CaptureRig) -> None:
    capture.node.create_publisher(Image, "rgb/image", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    capture.start(no_message_timeout=0.5)
    capture.wait_for_status(lambda status, values: "tester offers an incompatible QoS (best effort" in status.message)


def test_messages_without_stamps_are_paired_by_their_arrival(capture: CaptureRig) -> None:
    capture.start(slop=5.0)
    capture.offer(*IMAGES)

    def paired() -> bool:
        for role in IMAGES:
            capture.send(role, 0)
        return bool(capture.statuses) and capture.values().get("pairs", "0") != "0"

    capture.wait_for(paired, "a pair")
    capture.wait_for_log("have no stamp")


# --- episodes


def test_episodes_begin_and_end_by_service(capture: CaptureRig) -> None:
    capture.start()
    capture.connect(*IMAGES)
    assert not capture.end().success
    refused = capture.begin("../elsewhere")
    assert not refused.success and "expected a tag" in refused.message
    first = capture.begin("s01", note="glasses")
    pair = capture.send_pair(*IMAGES)
    capture.wait_for_received(dict.fromkeys(IMAGES, 1))
    second = capture.begin("s02")
    assert capture.send_pair(*IMAGES)
    capture.wait_for_received(dict.fromkeys(IMAGES, 1))
    assert capture.end().success and Path(first.bag) != Path(second.bag)
    assert list(contents(Path(first.bag)).values()) == [
        {f"{capture.namespace}/{role}/image": data for role, data in pair.items()}
    ]
    assert capture.manifest(Path(first.bag))["note"] == "glasses"
    assert capture.manifest(Path(first.bag))["ended_by"] == "another episode was started"
    assert len(contents(Path(second.bag))) == 1


def test_a_manager_starts_and_ends_a_recording(capture: CaptureRig) -> None:
    capture.start(autostart=False, record=True, subject="s03")
    assert capture.state() == "unconfigured" and not capture.output.exists()
    for expected in (1, 2):
        assert capture.change_state(Transition.TRANSITION_CONFIGURE)
        assert capture.change_state(Transition.TRANSITION_ACTIVATE)
        assert len(list(capture.output.iterdir())) == expected
        assert capture.change_state(Transition.TRANSITION_DEACTIVATE)
        assert capture.node.count_subscribers("thermal/image") == 0 or expected
        assert capture.change_state(Transition.TRANSITION_CLEANUP)
    for bag in capture.output.iterdir():
        assert contents(bag) == {} and capture.manifest(bag)["ended_by"] == "deactivated"


def test_a_folder_that_cannot_be_written_fails_the_activation_and_says_why(capture: CaptureRig) -> None:
    capture.output.write_text("a file")
    capture.start(record=True)
    assert str(capture.output) in capture.wait_for_log("activate failed")
    assert capture.state() == "inactive"
    capture.wait_for_status(lambda status, values: status.level == DiagnosticStatus.ERROR)


def test_too_little_disk_space_is_an_answer(capture: CaptureRig) -> None:
    capture.start(min_free_space=1e6)
    response = capture.begin()
    assert not response.success and "min_free_space is 1000000 MB" in response.message


def test_settings_stay_as_they_are_while_an_episode_is_recorded(capture: CaptureRig) -> None:
    capture.start()
    assert capture.set_parameters(slop=0.05).successful
    capture.begin()
    refused = capture.set_parameters(slop=0.01)
    assert not refused.successful and "stop the episode first" in refused.reason
    assert capture.set_parameters(diagnostics_period=0.2).successful
    capture.end()
    assert capture.set_parameters(slop=0.01, camera_info="both").successful
    assert capture.manifest()["settings"]["slop"] == 0.05
    capture.wait_for_status(lambda status, values: "rgb_info topic" in values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"require_face": True}, "requires face_landmarks: true"),
        ({"keep": "landmarks"}, "keep: landmarks requires face_landmarks: true"),
        ({"keep": "faces", "face_landmarks": True}, "requires the parameter registration"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    capture: CaptureRig, values: dict[str, Any], reason: str
) -> None:
    capture.start(**values)
    assert reason in capture.wait_for_log("configure failed")
    assert capture.state() == "unconfigured"


def test_an_unfinished_bag_is_pointed_out(capture: CaptureRig) -> None:
    (capture.output / "s01_x" / "s01_x_0").mkdir(parents=True)
    (capture.output / "s01_x" / "s01_x_0" / "s01_x_0.mcap").write_bytes(b"")
    capture.start()
    assert f"recover {capture.output}/s01_x" in capture.wait_for_log("was not finished")


def test_the_parameter_file_sets_every_parameter() -> None:
    content = yaml.safe_load((ROOT / "config/capture.yaml").read_text())
    assert content == {"/**": {"ros__parameters": {parameter.name: parameter.default for parameter in TABLE}}}


def test_a_transition_that_the_state_does_not_have_leaves_the_recording_alone(capture: CaptureRig) -> None:
    capture.start()
    capture.connect(*IMAGES)
    capture.begin()
    capture.send_pair(*IMAGES)
    assert not capture.change_state(Transition.TRANSITION_CONFIGURE)
    capture.send_pair(*IMAGES)
    capture.wait_for_received(dict.fromkeys(IMAGES, 2))
    assert capture.end().success and capture.manifest()["pairs"]["written"] == 2


def test_a_crash_is_never_called_complete(capture: CaptureRig) -> None:
    node = capture.start()
    capture.connect(*IMAGES)
    capture.begin()
    capture.send_pair(*IMAGES)
    capture.wait_for_received(dict.fromkeys(IMAGES, 1))
    capture.wait_for(lambda: capture.values()["pairs written"] == "1", "the pair")
    node.close("KeyError: 'x'")
    manifest = capture.manifest()
    assert manifest["state"] == "broken" and "KeyError" in manifest["ended_by"]
    assert manifest["pairs"]["written"] == 1 and len(contents(capture.bag)) == 1


def test_bytes_without_a_header_are_left_out_and_counted(capture: CaptureRig) -> None:
    capture.start()
    capture.connect(*IMAGES)
    capture.begin()
    for data in (b"\x00\x01\x00\x00", b"\x00\x01\x00\x00" + bytes(4)):
        capture.publishers[RGB].publish(data)
    capture.send_pair(*IMAGES)
    capture.wait_for_received({THERMAL: 1, RGB: 3})
    assert capture.end().success
    messages = capture.manifest()["messages"][RGB]
    assert (messages["received"], messages["unreadable"], messages["unpaired"]) == (3, 2, 2)
    assert recorded(capture) == [{role: capture.sent[role][0] for role in IMAGES}]
