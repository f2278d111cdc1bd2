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
    Parameter(
        "autostart", True, "Configure and activate the node at the start, without a lifecycle manager.", read_only=True
    ),
    # the neck
    Parameter.of(
        ErgonomicsOptions,
        "calibration_seconds",
        "Seconds after a person is first seen whose mean pose is the reference.",
    ),
    Parameter(
        "gravity",
        NONE,
        "Where the vertical comes from: none (angles against the reference), mounting (camera_pitch and camera_roll), or tf (the z axis of "
        "gravity_frame, such as of an IMU's odometry; needs tf2_ros).",
        choices=GRAVITIES,
    ),
    Parameter("camera_pitch", 0.0, "Angle in degrees by which the camera looks up from the horizontal.", -90.0, 90.0),
    Parameter(
        "camera_roll", 0.0, "Degrees by which the camera is turned clockwise about its line of sight.", -180.0, 180.0
    ),
    Parameter("gravity_frame", "base_link", "Frame whose z axis points up, with gravity: tf."),
    Parameter.of(ErgonomicsOptions, "static_tolerance", "Degrees within which a head counts as still."),
    Parameter.of(
        ErgonomicsOptions,
        "extension_margin",
        "Degrees of extension that do not count yet for ISO 11226 and RULA: a reference is not more exact.",
    ),
    Parameter.of(
        ErgonomicsOptions, "asymmetry", "Degrees of lateral bend or twist from which on ISO 11226 and RULA count them."
    ),
    # the eyes
    Parameter.of(
        EyeOptions, "eye_open", "Eye aspect ratio of open eyes that is assumed until the person's own is known."
    ),
    Parameter.of(
        EyeOptions,
        "eye_closed",
        "Ratio at which eyes are closed, in shares of that of the person's open ones; what the "
        "network makes of closed lids.",
    ),
    Parameter.of(
        EyeOptions, "blink_opening", "Opening (0 closed, 1 open) below which a blink begins; it ends above 1.5 of it."
    ),
    Parameter.of(EyeOptions, "blink_seconds", "Maximum duration of a blink in seconds."),
    Parameter.of(EyeOptions, "perclos_window", "Length in seconds of the window for PERCLOS."),
    # the mouth
    Parameter.of(MouthOptions, "yawn_opening", "Minimum gap of the inner lips in a yawn, in lengths of the nose."),
    Parameter.of(MouthOptions, "yawn_seconds", "Minimum duration of a yawn in seconds."),
    Parameter.of(
        MouthOptions,
        "speech_motion",
        "Standard deviation of the mouth's opening over two seconds, in lengths of the nose, that counts as speech.",
    ),
    # attention
    Parameter.of(
        ErgonomicsOptions,
        "attention_angle",
        "Maximum angle in degrees between the direction of the face and the direction to the "
        "camera for a person to count as attentive.",
    ),
    Parameter.of(ErgonomicsOptions, "attention_window", "Length in seconds of the window for the share of attention."),
    # all
    Parameter.of(
        ErgonomicsOptions,
        "least_confidence",
        "Mean confidence of the points of eyes or mouth below which they are not seen.",
    ),
    Parameter.of(ErgonomicsOptions, "most_yaw", "Degrees of yaw beyond which eyes are not looked at."),
    Parameter.of(
        ErgonomicsOptions,
        "vital_signs",
        "Estimate breathing and the temperature difference of nose and forehead; no medical measurement.",
    ),
    Parameter("forget", 5.0, "Seconds without a face after which its person is forgotten.", 0.1, 3600.0),
    Parameter(
        "no_message_timeout", 5.0, "Seconds without landmarks after which the log gives the reason.", 0.5, 3600.0
    ),
    Parameter("diagnostics_period", 1.0, "Seconds between two reports on /diagnostics.", 0.1, 60.0),
)


def ergonomics_options(values: Values) -> ErgonomicsOptions:
    """The options, which are parameters of the same names."""

    def of(kind: Any, **more: Any) -> dict[str, Any]:
        return {field.name: values[field.name] for field in fields(kind) if field.name not in more} | more

    eyes, mouth = EyeOptions(**of(EyeOptions)), MouthOptions(**of(MouthOptions))
    return ErgonomicsOptions(**of(ErgonomicsOptions, eyes=eyes, mouth=mouth))
