# SPDX-License-Identifier: Apache-2.0
"""The parameters of `thermal_fld_capture`, and what they mean to the recording."""

from __future__ import annotations

from collections.abc import Mapping

from thermal_fld_ros.capture.episode import EpisodeOptions
from thermal_fld_ros.capture.gates import GateOptions
from thermal_fld_ros.capture.privacy import KEEP
from thermal_fld_ros.nodes.parameters import Parameter, Values
from thermal_fld_ros.perception.compression import TRANSPORTS, is_compressed
from thermal_fld_ros.recordings.manifest import STORAGE_SUFFIXES
from thermal_fld_ros.recordings.messages import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    FACE_LANDMARKS,
    IMAGE,
    LANDMARKS,
    RGB,
    THERMAL,
)

CALIBRATIONS = {"none": (), "thermal": (THERMAL,), "rgb": (RGB,), "both": (THERMAL, RGB)}

LIVE = frozenset({"no_message_timeout", "diagnostics_period"})
"""Parameters that may change while an episode is recorded."""

PAIRING = frozenset(
    {
        "thermal_transport",
        "rgb_transport",
        "camera_info",
        "face_landmarks",
        "reliability",
        "slop",
        "clock_offset",
        "pairing_queue",
    }
)
"""Parameters of the subscriptions and of the pairing."""

TABLE = (
    Parameter("autostart", True, "Configure and activate at the start, without a lifecycle manager.", read_only=True),
    # what is recorded
    *(
        Parameter(
            f"{camera}_transport",
            "auto",
            f"Message type of {camera}/image: raw is sensor_msgs/Image, compressed is CompressedImage; auto decides by the topic's name "
            "(.../compressed, .../compressedDepth).",
            choices=TRANSPORTS,
        )
        for camera in (THERMAL, RGB)
    ),
    Parameter(
        "camera_info",
        "none",
        "Cameras whose camera_info is part of every pair; with it /tf_static is recorded.",
        choices=tuple(CALIBRATIONS),
    ),
    Parameter("face_landmarks", False, "Make the detector's face_landmarks part of every pair."),
    Parameter(
        "reliability",
        "best_effort",
        "QoS of the subscriptions. best_effort hears every publisher; reliable asks for lost messages again.",
        choices=("best_effort", "reliable"),
    ),
    Parameter(
        "no_message_timeout", 5.0, "Seconds without a message after which the log gives the reason.", 0.5, 3600.0
    ),
    # pairs
    Parameter("slop", 0.02, "Seconds by which the stamps of a pair may differ.", 0.0001, 10.0),
    Parameter("clock_offset", 0.0, "Seconds to be added to the RGB camera's stamps before pairs are made.", -1e6, 1e6),
    Parameter("pairing_queue", 20, "Messages of each topic that may wait for their counterparts.", 2, 1000),
    # the recording
    Parameter("record", True, "Start an episode on activation; false: only the service starts episodes."),
    Parameter("output", "captures", "Folder for the bags, one an episode."),
    Parameter(
        "subject", "", "Tag of the person, not the name: letters, digits, _ and -. It becomes part of the bag's name."
    ),
    Parameter("consent", "", "What the person has consented to, such as the number of a consent form."),
    Parameter.of(EpisodeOptions, "storage", "Storage of the bags.", choices=tuple(STORAGE_SUFFIXES)),
    Parameter.of(EpisodeOptions, "split_size", "MB after which a new file of the bag is started; 0: never."),
    Parameter.of(EpisodeOptions, "split_duration", "Seconds after which a new file of the bag is started; 0: never."),
    Parameter.of(
        EpisodeOptions,
        "flush_period",
        "Seconds between two flushes to the disk. A power failure loses up to two such periods, a killed process none (SQLite: one).",
    ),
    Parameter.of(
        EpisodeOptions, "write_queue", "MB of pairs that may wait for the disk; what exceeds it is dropped and counted."
    ),
    Parameter.of(EpisodeOptions, "min_free_space", "MB of free disk space below which the recording ends."),
    # which pairs
    Parameter.of(GateOptions, "max_rate", "Maximum number of pairs per second; 0: no limit."),
    Parameter.of(GateOptions, "require_face", "Record only pairs with a face in face_landmarks."),
    Parameter.of(
        GateOptions,
        "min_pose_change",
        "Degrees by which a head must have turned since the last recorded pair; needs head poses. 0: not required.",
    ),
    Parameter.of(
        GateOptions,
        "min_expression_change",
        "Change of a face's shape that is required since the last recorded pair, as a share of the face's size; "
        "0: not required.",
    ),
    Parameter.of(GateOptions, "skip_shutter", "Leave out images of the thermal camera's closed shutter."),
    # privacy
    Parameter.of(
        EpisodeOptions,
        "keep",
        "What is kept: images (whole images), faces (boxes around faces, 0 elsewhere) or landmarks (no images).",
        choices=KEEP,
    ),
    Parameter.of(
        EpisodeOptions, "registration", "JSON file of `register`, from thermal to RGB pixels; required by keep: faces."
    ),
    Parameter.of(
        EpisodeOptions, "face_margin", "Widening of the kept boxes on each side, as a share of the face's size."
    ),
    # output
    Parameter("diagnostics_period", 1.0, "Seconds between two reports on /diagnostics.", 0.1, 60.0),
)


def message_types(values: Values, names: Mapping[str, str]) -> dict[str, str]:
    """Message type of every topic that is part of a pair, by role; `names` are those of the two image topics, resolved."""
    roles = {
        camera: COMPRESSED_IMAGE if is_compressed(values[f"{camera}_transport"], names[camera]) else IMAGE
        for camera in (THERMAL, RGB)
    }
    roles |= {f"{camera}_info": CAMERA_INFO for camera in CALIBRATIONS[values["camera_info"]]}
    if values["face_landmarks"]:
        roles[LANDMARKS] = FACE_LANDMARKS
    return roles


def episode_options(values: Values) -> EpisodeOptions:
    """How an episode is recorded. Raises ValueError where the values do not fit together."""
    gates = GateOptions(
        skip_shutter=values["skip_shutter"],
        require_face=values["require_face"],
        min_pose_change=values["min_pose_change"],
        min_expression_change=values["min_expression_change"],
        max_rate=values["max_rate"],
    )
    keep = values["keep"]
    if not values["face_landmarks"] and (gates.need_landmarks or keep != "images"):
        asking = f"keep: {keep}" if keep != "images" else "a gate that uses faces"
        raise ValueError(f"{asking} requires face_landmarks: true and a running detector node")
    if keep == "faces" and not values["registration"]:
        raise ValueError("keep: faces requires the parameter registration, which locates the faces in the RGB image")
    names = ("storage", "split_size", "split_duration", "flush_period", "write_queue", "min_free_space")
    return EpisodeOptions(
        **{name: values[name] for name in names},
        gates=gates,
        keep=keep,
        registration=values["registration"],
        face_margin=values["face_margin"],
    )
