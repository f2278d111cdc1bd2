# SPDX-License-Identifier: Apache-2.0
"""From an image message to a result message, over DDS."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from input_files import compressed_depth, png, rvl
from node_rig import FACE, SIZE, Rig, centre_of
from rclpy.duration import Duration
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from thermal_fld_ros.nodes.messages import array_from_image, field_from_array, image_from_array, points_from_field
from thermal_fld_ros.perception.geometry import Affine
from thermal_fld_ros.perception.models import LANDMARKS_FILE


def padded(image: Image, padding: int) -> Image:
    rows = np.frombuffer(image.data, np.uint8).reshape(image.height, image.step)
    image.data = field_from_array(np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAB), "B")
    image.step += padding
    return image


def big_endian(scene: np.ndarray, header: Header) -> Image:
    image = image_from_array(scene.byteswap(), header)
    image.is_bigendian = 1
    return image


def of_bytes(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    height, width = pixels.shape
    image = Image(header=header, height=height, width=width, encoding=encoding, step=pixels.strides[0])
    image.data = field_from_array(pixels.reshape(-1).view(np.uint8), "B")
    return image


def as_grey(scene: np.ndarray) -> np.ndarray:
    return np.interp(scene, (29000, 31500), (0, 255)).astype(np.uint8)


ENCODINGS = {
    "mono8": lambda scene, header: image_from_array(as_grey(scene), header),
    "mono16": lambda scene, header: image_from_array(scene, header),
    "16UC1": lambda scene, header: image_from_array(scene, header, "16UC1"),
    "mono16, padded step": lambda scene, header: padded(image_from_array(scene, header), 14),
    "mono16, big endian": big_endian,
    "mono16, big endian, padded step": lambda scene, header: padded(big_endian(scene, header), 6),
    "32FC1": lambda scene, header: image_from_array(scene.astype(np.float32), header),
    "16SC1": lambda scene, header: of_bytes((scene.astype(np.int32) - 30000).astype(np.int16), "16SC1", header),
    "64FC1": lambda scene, header: of_bytes(scene.astype(np.float64), "64FC1", header),
    "bgr8": lambda scene, header: image_from_array(np.repeat(as_grey(scene)[..., None], 3, axis=2), header),
}


def test_every_encoding_is_answered_with_its_own_header_and_the_face_where_it_is(rig: Rig) -> None:
    rig.start_connected(unit="counts")
    for name, make in ENCODINGS.items():
        image = make(rig.scene(), rig.header())
        image.header.frame_id = f"camera of {name}"
        result = rig.detect(image)
        assert result.header == image.header, name
        assert (result.image_width, result.image_height) == (image.width, image.height), name
        assert centre_of(result) == pytest.approx(FACE[:2], abs=2.0), name
        face = result.faces[0]
        assert face.header == image.header
        assert face.id[0].isalpha() and face.scheme == "ibug68"
        assert not face.pose_valid or face.pose_approximate
        assert len(face.points) == 136 and len(face.confidence) == 68
        assert face.roi[2] == pytest.approx(FACE[2], rel=0.1)
        assert all(np.isnan(face.temperatures)), "counts are no temperatures"
    assert result.model_name == "dummy landmarks" and len(result.model_hash) == 64 and result.processing_time > 0.0


TRANSPORTED = {
    "compressedDepth": lambda scene: ("16UC1; compressedDepth png", compressed_depth(png(scene))),
    "compressedDepth, rvl": lambda scene: ("16UC1; compressedDepth rvl", compressed_depth(rvl(scene))),
    "compressed, png of 16 bit": lambda scene: ("16UC1; png compressed ", png(scene)),
    "compressed, bare png": lambda scene: ("png", png(scene)),
    "compressed, tiff": lambda scene: ("mono16; tiff compressed mono16", coded(".tiff", scene)),
    "compressed, jpeg": lambda scene: ("mono8; jpeg compressed mono8", coded(".jpg", as_grey(scene))),
    "compressed, bare jpeg": lambda scene: ("jpeg", coded(".jpg", as_grey(scene))),
}


def coded(suffix: str, pixels: np.ndarray) -> np.ndarray:
    return cv2.imencode(suffix, pixels)[1].reshape(-1)


@pytest.mark.parametrize(
    ("topic", "transport"), [("camera/image/compressedDepth", "auto"), ("camera/image", "compressed")]
)
def test_compressed_images_of_every_transport_are_answered(rig: Rig, topic: str, transport: str) -> None:
    publisher = rig.node.create_publisher(CompressedImage, topic, 10)
    rig.start(arguments=("-r", f"image:={topic}"), unit="counts", transport=transport)
    for name, make in TRANSPORTED.items():
        form, data = make(rig.scene())

        def sent(form: str = form, data: np.ndarray = data) -> bool:
            image = CompressedImage(header=rig.header(), format=form, data=field_from_array(data, "B"))
            image.header.frame_id = form
            publisher.publish(image)
            time.sleep(0.05)
            return bool(rig.results) and rig.results[-1].header.frame_id == form

        rig.wait_for(sent, name)
        result = rig.results[-1]
        assert (result.image_width, result.image_height) == SIZE, name
        assert centre_of(result) == pytest.approx(FACE[:2], abs=2.0), name


def test_a_compressed_image_that_is_damaged_is_refused_with_its_reason(rig: Rig) -> None:
    publisher = rig.node.create_publisher(CompressedImage, "image/compressed", 10)
    rig.start(arguments=("-r", "image:=image/compressed"))
    image = CompressedImage(header=rig.header(), format="16UC1; png compressed")
    image.data = field_from_array(png(rig.scene())[:-500], "B")

    def refused() -> bool:
        publisher.publish(image)
        time.sleep(0.05)
        return any('image refused: a compressed image of format "16UC1; png compressed"' in line for line in rig.logs)

    rig.wait_for(refused, "the refusal")


def test_an_image_without_a_face_is_answered_by_an_empty_array(rig: Rig) -> None:
    rig.start_connected()
    assert rig.detect(rig.scene(face=None)).faces == []


def test_a_best_effort_camera_is_heard_and_so_is_the_temperature(rig: Rig) -> None:
    rig.start_connected(image_reliability="best_effort")
    face = rig.detect(rig.scene()).faces[0]
    temperatures = dict(zip(face.temperature_names, face.temperatures, strict=True))
    assert temperatures["nose"] == pytest.approx(308.0 - 273.15, abs=0.3)


def test_a_face_keeps_its_id(rig: Rig) -> None:
    rig.start_connected()
    ids = {rig.detect(rig.scene((180.0 - 2 * i, 110.0, 60.0))).faces[0].id for i in range(5)}
    assert len(ids) == 1


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_points_and_overlay_lie_in_the_incoming_image_whatever_the_rotation(rig: Rig, rotation: int) -> None:
    overlays: list[Image] = []
    rig.node.create_subscription(Image, "thermal_fld_detector/overlay", overlays.append, 1)
    rig.start_connected(rotate=rotation, overlay_scale=1)
    upright = rig.scene()
    lying = np.ascontiguousarray(np.rot90(upright, rotation // 90))  # counter-clockwise, which `rotate` undoes
    height, width = lying.shape
    expected = Affine.quarter_turns(rotation, (width, height)).inverse()(FACE[:2])
    result = rig.detect(lying)
    assert centre_of(result) == pytest.approx(expected, abs=2.0)
    points = points_from_field(result.faces[0].points)
    down = Affine.quarter_turns(rotation, (width, height))(points[[27, 8]])
    assert down[1, 1] > down[0, 1] + 20.0, "the chin is below the nose in the upright frame"
    overlay = rig.wait_for(
        lambda: next((image for image in overlays if image.header == result.header), None), "the overlay"
    )
    assert array_from_image(overlay).shape == (height, width, 3)


def test_row_crop_and_inversion_take_effect(rig: Rig) -> None:
    rig.start_connected(rows_top=30, rows_bottom=10, inverted=True)
    scene = 60000 - rig.scene()
    scene[:30] = 0
    scene[-10:] = 65535
    assert centre_of(rig.detect(scene)) == pytest.approx(FACE[:2], abs=2.0)


def test_overlays_are_drawn_only_for_subscribers(rig: Rig) -> None:
    rig.start_connected(overlay_scale=2)
    pictures: list[Image] = []
    topic = "thermal_fld_detector/overlay"
    subscription = rig.node.create_subscription(Image, topic, pictures.append, 1)
    rig.wait_for(lambda: rig.detect(rig.scene()) and pictures, "an overlay")
    assert array_from_image(pictures[-1]).shape == (480, 640, 3) and pictures[-1].encoding == "bgr8"
    rig.node.destroy_subscription(subscription)
    jpegs: list[CompressedImage] = []
    rig.node.create_subscription(CompressedImage, topic + "/compressed", jpegs.append, 1)
    rig.wait_for(lambda: rig.detect(rig.scene()) and jpegs, "a compressed overlay")
    assert bytes(jpegs[-1].data[:2]) == b"\xff\xd8" and jpegs[-1].format.startswith("bgr8; jpeg")
    assert jpegs[-1].header.frame_id == "thermal_optical"


def test_frames_of_a_closed_shutter_are_reported_and_give_no_result(rig: Rig) -> None:
    rig.start_connected()
    frozen = rig.scene()
    first = rig.detect(frozen)
    rig.send_until(
        lambda: frozen,
        lambda: rig.wait_for_status(lambda status, values: status.level == DiagnosticStatus.OK)["shutter"] == "frozen",
        "the shutter in the diagnostics",
    )
    later = rig.results[rig.results.index(first) + 1 :]
    assert len(later) <= 6 and all(result.repeated for result in later), "the first may be a slow camera's repeats"
    fresh = rig.detect(rig.scene())
    assert fresh.faces and not fresh.repeated


def test_an_image_that_a_slow_camera_repeats_is_answered_by_the_same_faces_and_marked(rig: Rig) -> None:
    """A 9 Hz Lepton behind a PureThermal board: each image three times, 37 ms apart."""
    rig.start_connected()
    for number in range(6):
        scene = rig.scene((FACE[0] + number, *FACE[1:]))
        first, *others = [rig.detect(scene) for _ in range(3)]
        assert not first.repeated and first.faces
        for result in others:
            assert result.repeated and result.header.stamp != first.header.stamp
            assert [face.id for face in result.faces] == [face.id for face in first.faces]
            assert result.faces[0].points == first.faces[0].points
            assert result.faces[0].header == result.header
    values = rig.wait_for_status(lambda status, values: values.get("images repeated") == "12")
    assert values["shutter frames"] == "0"


def test_a_recording_that_starts_again_has_new_faces_and_jitter_has_not(rig: Rig) -> None:
    rig.start_connected()
    first = rig.detect(rig.scene()).faces[0].id
    image = image_from_array(rig.scene(), rig.header())
    image.header.stamp = (Time.from_msg(image.header.stamp) - Duration(seconds=0.2)).to_msg()
    assert rig.detect(image).faces[0].id == first
    image = image_from_array(rig.scene(), rig.header())
    image.header.stamp.sec = 5
    assert rig.detect(image).faces[0].id != first
    assert "all tracked faces were dropped" in rig.wait_for_log("time went back")


def test_an_image_without_a_stamp_is_answered_without_one(rig: Rig) -> None:
    rig.start_connected()
    image = image_from_array(rig.scene(), Header(frame_id="no clock"))
    result = rig.detect(image)
    assert result.header == image.header and result.faces


def test_simulated_time_is_used_and_not_waited_for(rig: Rig) -> None:
    rig.start_connected(use_sim_time=True, no_image_timeout=0.5)
    assert rig.detect(rig.scene()).faces
    rig.wait_for_log("nothing on")
    clock = rig.node.create_publisher(Clock, "/clock", 1)

    def told() -> bool:
        clock.publish(Clock(clock=Time(seconds=4321).to_msg()))
        return rig.diagnostics_time == Time(seconds=4321).to_msg()

    rig.wait_for(told, "diagnostics with the simulated time")


def test_an_error_that_nobody_thought_of_does_not_stop_the_node(rig: Rig, dummy_models: Path, tmp_path: Path) -> None:
    treacherous = tmp_path / "treacherous.onnx"
    onnx.save(failing_on_faces(onnx.load(dummy_models / LANDMARKS_FILE)), treacherous)
    rig.start_connected(landmark_model=str(treacherous))
    rig.publish(rig.scene())
    assert "Traceback" in rig.wait_for_log("image refused: ")
    assert rig.wait_for_status(lambda status, values: "images refused: internal" in values)
    assert rig.set_parameters(landmark_model=str(dummy_models / LANDMARKS_FILE)).successful
    assert rig.detect(rig.scene()).faces


def failing_on_faces(model: onnx.ModelProto) -> onnx.ModelProto:
    """The landmark model, which now reads beyond an array's end unless the crop is empty."""
    graph = model.graph
    (score,) = (node for node in graph.node if "score" in node.output)
    score.output[0] = "honest_score"
    graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.float32), "one_element"))
    graph.node.extend(
        [
            onnx.helper.make_node("ReduceMax", ["image"], ["brightest"], keepdims=0),
            onnx.helper.make_node("Ceil", ["brightest"], ["index_or_nothing"]),
            onnx.helper.make_node("Cast", ["index_or_nothing"], ["index"], to=onnx.TensorProto.INT64),
            onnx.helper.make_node("Gather", ["one_element", "index"], ["nothing"]),
            onnx.helper.make_node("Add", ["honest_score", "nothing"], ["score"]),
        ]
    )
    return model
