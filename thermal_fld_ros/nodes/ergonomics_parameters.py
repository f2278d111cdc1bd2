# SPDX-License-Identifier: Apache-2.0
"""The parameters of `thermal_fld_ergonomics`, and what they mean."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from thermal_fld_ros.ergonomics.person import ErgonomicsOptions
from thermal_fld_ros.ergonomics.states import EyeOptions, MouthOptions
from thermal_fld_ros.nodes.parameters import Parameter, Values

NONE, MOUNTING, TF = "none", "mounting", "tf"
GRAVITIES = (NONE, MOUNTING, TF)

TABLE = (
    Parameter("autostart", True, "Configure and activate at the start, without a lifecycle manager.", read_only=True),
    # the neck
    Parameter(
        "calibration_seconds", 3.0, "Seconds of a person's poses at first sight whose mean is the reference.", 0.1, 600.0
    ),
    Parameter(
        "gravity",
        NONE,
        "Where the vertical comes from: none (angles against the reference), mounting (camera_pitch and camera_roll), or tf (the z axis of "
        "gravity_frame, such as of an IMU's odometry; needs tf2_ros).",
        choices=GRAVITIES,
    ),
    Parameter("camera_pitch", 0.0, "Degrees by which the camera looks up from the horizontal.", -90.0, 90.0),
    Parameter("camera_roll", 0.0, "Degrees by which the camera is turned clockwise about its line of sight.", -180.0, 180.0),
    Parameter("gravity_frame", "base_link", "Frame whose z axis points up, with gravity: tf."),
    Parameter("static_tolerance", 10.0, "Degrees within which a head counts as still.", 0.1, 90.0),
    Parameter(
        "extension_margin",
        5.0,
        "Degrees of extension that do not count yet for ISO 11226 and RULA: a reference is not more exact.",
        0.0,
        45.0,
    ),
    Parameter(
        "asymmetry", 15.0, "Degrees of lateral bend or twist from which on ISO 11226 and RULA count them.", 0.0, 90.0
    ),
    # the eyes
    Parameter("eye_open", 0.31, "Eye aspect ratio of open eyes until the person's own is known.", 0.05, 1.0),
    Parameter(
        "eye_closed",
        0.77,
        "Ratio at which eyes are closed, in shares of that of the person's open ones; what the network makes of closed lids.",
        0.0,
        0.95,
    ),
    Parameter(
        "blink_opening", 0.4, "Opening (0 closed, 1 open) below which a blink begins; it ends above 1.5 of it.", 0.01, 0.6
    ),
    Parameter("blink_seconds", 0.5, "Seconds beyond which a closure is no blink.", 0.05, 5.0),
    Parameter("perclos_window", 60.0, "Seconds over which PERCLOS is taken.", 1.0, 3600.0),
    # the mouth
    Parameter("yawn_opening", 0.25, "Gap of the inner lips in lengths of the nose that a yawn reaches.", 0.05, 2.0),
    Parameter("yawn_seconds", 1.5, "Seconds for which a yawn keeps the mouth that wide open.", 0.1, 30.0),
    Parameter(
        "speech_motion",
        0.015,
        "Standard deviation of the mouth's opening over two seconds, in lengths of the nose, that counts as speech.",
        0.0,
        1.0,
    ),
    # attention
    Parameter(
        "attention_angle", 20.0, "Degrees between the direction of the face and that to the camera up to which somebody attends.",
        0.0, 180.0,
    ),
    Parameter("attention_window", 10.0, "Seconds over which the share of attention is taken.", 0.1, 3600.0),
    # all
    Parameter("least_confidence", 0.4, "Mean confidence of the points of eyes or mouth below which they are not seen.", 0.0, 1.0),
    Parameter("most_yaw", 45.0, "Degrees of yaw beyond which eyes are not looked at.", 0.0, 90.0),
    Parameter(
        "vital_signs", False, "Estimate breathing and the temperature difference of nose and forehead; no medical measurement."
    ),
    Parameter("forget", 5.0, "Seconds without a face after which its person is forgotten.", 0.1, 3600.0),
    Parameter("no_message_timeout", 5.0, "Seconds without landmarks after which the log says why.", 0.5, 3600.0),
    Parameter("diagnostics_period", 1.0, "Seconds between two reports on /diagnostics.", 0.1, 60.0),
)  # fmt: skip


def ergonomics_options(values: Values) -> ErgonomicsOptions:
    """The options, which are parameters of the same names."""

    def of(kind: Any, **more: Any) -> dict[str, Any]:
        return {field.name: values[field.name] for field in fields(kind) if field.name not in more} | more

    eyes, mouth = EyeOptions(**of(EyeOptions)), MouthOptions(**of(MouthOptions))
    return ErgonomicsOptions(**of(ErgonomicsOptions, eyes=eyes, mouth=mouth))
