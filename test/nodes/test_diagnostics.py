# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from node_rig import Rig
from sensor_msgs.msg import CameraInfo

from thermal_fld_ros.nodes.diagnostics import Latencies, Rates, Refusals
from thermal_fld_ros.nodes.messages import image_from_array


def test_the_status_tells_what_a_person_asks(rig: Rig) -> None:
    rig.start_connected()
    result = rig.detect(rig.scene())
    rig.send_until(
        rig.scene,
        lambda: rig.wait_for_status(lambda status, values: float(values["output rate (Hz)"]) > 1.0),
        "a rate",
    )
    status = rig.statuses[-1]
    values = rig.wait_for_status(lambda status, values: status.level == DiagnosticStatus.OK and values["faces"] == "1")
    assert (
        status.name == f"{rig.namespace[1:]}/thermal_fld_detector: status" and status.hardware_id == "thermal_optical"
    )
    assert values["state"] == "active" and values["image topic"] == f"{rig.namespace}/image"
    assert float(values["latency median (ms)"]) > 0.0
    assert values["landmark model"] == f"dummy landmarks {result.model_hash}"
    assert values["detector model"].startswith("dummy detector ")
    assert values["detector provider"] == values["landmark provider"] == "cpu"
    assert (
        values["shutter"] == "live"
        and values["calibration"] == "no camera_info; a field of view of 50 degrees is assumed"
    )
    received, published = int(values["images received"]), int(values["results published"])
    assert received >= published + int(values["images replaced unseen"]) > 0
    assert (values["images refused"], values["images lost on the way"]) == ("0", "0")


def test_implausible_temperatures_and_palettes_are_warned_of(rig: Rig) -> None:
    rig.start_connected(unit="celsius")
    assert 'is the unit really "celsius"' in rig.wait_for_log("the median temperature would be")
    assert rig.set_parameters(unit="agc").successful
    rig.detect(image_from_array(np.zeros((40, 40, 3), np.uint8), rig.header()))
    rig.wait_for_status(lambda status, values: status.level == DiagnosticStatus.WARN and "palette" in status.message)


def calibration(width: int, height: int, focal: float) -> CameraInfo:
    k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, float(focal > 0)]
    return CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5, k=k)


def test_a_pose_is_exact_only_with_a_calibration_that_fits(rig: Rig) -> None:
    rig.start_connected()
    publisher = rig.node.create_publisher(CameraInfo, "camera_info", 1)

    def calibrate(info: CameraInfo, status: str) -> None:
        def sent() -> bool:
            publisher.publish(info)
            rig.detect(rig.scene())
            return status in rig.wait_for_status(lambda status, values: True)["calibration"]

        rig.wait_for(sent, status)

    calibrate(calibration(320, 240, 0.0), "camera_info was refused: the camera matrix must be 3 x 3")
    unheard_of = calibration(320, 240, 400.0)
    unheard_of.distortion_model, unheard_of.d = "double_sphere", [0.1] * 4
    calibrate(unheard_of, 'distortion model "double_sphere" is not one of plumb_bob, rational_polynomial, equidistant')
    short = calibration(320, 240, 400.0)
    short.d = [0.1] * 3
    calibrate(short, "D has 3 coefficients")
    calibrate(calibration(320, 240, math.nan), "K or D is not finite")
    assert rig.detect(rig.scene()).faces[0].pose_approximate
    assert rig.set_parameters(field_of_view=0.0).successful
    assert not rig.detect(rig.scene()).faces[0].pose_valid
    calibrate(calibration(320, 240, 400.0), "calibrated")
    face = rig.detect(rig.scene()).faces[0]
    assert face.pose_valid and not face.pose_approximate and 0.0 < face.pose_error < 0.08
    assert math.hypot(face.pose.position.x, face.pose.position.y, face.pose.position.z) > 0.1
    calibrate(calibration(640, 480, 400.0), "the calibration is for 640 x 480 px, but the image has 320 x 240")
    assert not rig.detect(rig.scene()).faces[0].pose_valid
    assert len([line for line in rig.logs if "camera_info was refused" in line]) == 5, "once each"


def test_wide_lenses_parts_of_the_sensor_and_telemetry_are_calibrated(rig: Rig) -> None:
    """Each calibration is of the same camera, so each places the head alike."""
    rig.start_connected()
    publisher = rig.node.create_publisher(CameraInfo, "camera_info", 1)

    def position(info: CameraInfo, make: Callable[[], np.ndarray] = rig.scene) -> tuple[float, float, float]:
        def told(message: CameraInfo, status: str) -> None:
            def sent() -> bool:
                publisher.publish(message)
                rig.detect(make())
                return status in rig.wait_for_status(lambda status, values: True)["calibration"]

            rig.wait_for(sent, status)

        told(calibration(320, 240, 0.0), "refused")  # so that it is not the calibration before that answers
        told(info, "calibrated")
        found = rig.detect(make()).faces
        assert found[-1].pose_valid
        place = found[-1].pose.position
        return place.x, place.y, place.z

    plain = calibration(320, 240, 400.0)
    expected = position(plain)
    fisheye = calibration(320, 240, 400.0)
    fisheye.distortion_model, fisheye.d = "fisheye", [1e-3] * 4
    assert math.dist(position(fisheye), expected) < 0.05
    binned = calibration(640, 480, 800.0)
    binned.binning_x = binned.binning_y = 2
    binned.k[2], binned.k[5] = 2 * (160 + 0.5) - 0.5, 2 * (120 + 0.5) - 0.5
    assert math.dist(position(binned), expected) < 0.02
    part = calibration(640, 480, 400.0)
    part.roi.x_offset, part.roi.y_offset, part.roi.width, part.roi.height = 100, 50, 320, 240
    part.k[2], part.k[5] = 260.0, 170.0
    assert math.dist(position(part), expected) < 0.02
    assert rig.set_parameters(rows_top=2).successful

    def with_telemetry() -> np.ndarray:
        return np.concatenate([np.zeros((2, 320), np.uint16), rig.scene()])

    assert math.dist(position(plain, with_telemetry), expected) < 0.02


def test_refusals_are_logged_at_once_and_then_counted_up() -> None:
    refusals = Refusals()
    assert refusals.add("step", "step is 3") == "step is 3"
    assert refusals.add("step", "step is 3") == ""
    assert refusals.add("size", "no size") == "no size"
    refusals.REPEAT_SECONDS = 0.0
    assert refusals.add("step", "step is 4") == "step is 4 (1 more since the last report)"
    assert refusals.counts() == {"step": 3, "size": 1} and refusals.total == 4 and refusals.latest == "step is 4"


def test_rates_and_latencies_of_nothing() -> None:
    rates = Rates()
    assert rates.update({"a": 0}) == {"a": 0.0}
    assert rates.update({"a": 5})["a"] > 0.0
    assert rates.update({"a": 2})["a"] == 0.0, "a count that began anew"
    latencies = Latencies()
    assert math.isnan(latencies.median_ms())
    latencies.add(0.004)
    assert latencies.median_ms() == pytest.approx(4.0)
