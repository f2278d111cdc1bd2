# SPDX-License-Identifier: Apache-2.0
"""The parameters of `thermal_fld_detector`, and what they mean to the perception."""

from __future__ import annotations

from dataclasses import fields

from thermal_fld_ros.nodes.parameters import Parameter, Values
from thermal_fld_ros.perception.compression import TRANSPORTS
from thermal_fld_ros.perception.decoding import UNITS, Decoding, Unit
from thermal_fld_ros.perception.models import PROVIDERS
from thermal_fld_ros.perception.overlay import PALETTES
from thermal_fld_ros.perception.pipeline import PipelineOptions

CUSTOM_UNIT = "custom"

TABLE = (
    Parameter("autostart", True, "Configure and activate at the start, without a lifecycle manager.", read_only=True),
    # the camera
    Parameter(
        "unit",
        "counts",
        "What a pixel's value means; custom takes unit_scale and unit_offset. counts and agc give no temperatures.",
        choices=(*UNITS, CUSTOM_UNIT),
    ),
    Parameter(
        "unit_scale", 1.0, "degC per count of the custom unit: degC = value * unit_scale + unit_offset.", -1e6, 1e6
    ),
    Parameter("unit_offset", 0.0, "degC at the value 0 of the custom unit.", -1e6, 1e6),
    Parameter("rotate", 0, "Clockwise turn in degrees that brings the incoming image upright.", 0, 270, step=90),
    Parameter("rows_top", 0, "Rows to drop at the top of the image, such as telemetry.", 0, 4096),
    Parameter("rows_bottom", 0, "Rows to drop at the bottom of the image.", 0, 4096),
    Parameter("inverted", False, "Warm pixels are dark in the image (black hot)."),
    Parameter("max_pixels", Decoding.max_pixels, "Images with more pixels are refused.", 1, 100_000_000),
    Parameter(
        "transport",
        "auto",
        "Message type of image: raw is sensor_msgs/Image, compressed is CompressedImage of any format; auto decides by the topic's name "
        "(.../compressed, .../compressedDepth).",
        choices=TRANSPORTS,
    ),
    Parameter(
        "field_of_view",
        50.0,
        "Field of view of the longer side of the image in degrees, assumed for head poses while there is no camera_info; 0: no poses "
        "without camera_info.",
        0.0,
        170.0,
    ),
    Parameter(
        "image_reliability",
        "best_effort",
        "QoS of the image subscription. best_effort hears every camera; reliable asks for lost images again.",
        choices=("best_effort", "reliable"),
    ),
    Parameter("no_image_timeout", 5.0, "Seconds without an image after which the log gives the reason.", 0.5, 3600.0),
    # the models
    Parameter.of(
        PipelineOptions,
        "detector_model",
        "ONNX file of the face detector; empty: the packaged one. To load a file that was replaced, set its path again.",
    ),
    Parameter.of(
        PipelineOptions,
        "landmark_model",
        "ONNX file of the landmark model; empty: the packaged one. To load a file that was replaced, set its path again.",
    ),
    Parameter.of(
        PipelineOptions,
        "provider",
        "Where the models run. auto uses CUDA where onnxruntime has it, and otherwise the CPU. TensorRT takes minutes to start.",
        choices=("auto", *PROVIDERS),
    ),
    Parameter.of(
        PipelineOptions,
        "require_provider",
        "Fail if the provider is not available, instead of using another; has no effect with auto.",
    ),
    Parameter.of(PipelineOptions, "threads", "CPU threads of each model and of OpenCV."),
    # faces
    Parameter.of(
        PipelineOptions,
        "detection_threshold",
        "Minimum score of a detection; 0: the threshold in the detector's metadata.",
    ),
    Parameter.of(
        PipelineOptions,
        "score_threshold",
        "Minimum score of a new face (the probability that its points are right); 0: the threshold in the landmark model's metadata.",
    ),
    Parameter.of(PipelineOptions, "keep_threshold", "Minimum score of a face that is already tracked."),
    Parameter.of(PipelineOptions, "patience", "Seconds for which a tracked face may stay below score_threshold."),
    Parameter.of(PipelineOptions, "max_faces", "Maximum number of faces that are tracked at once."),
    Parameter.of(PipelineOptions, "min_face_size", "Minimum length of a face's longer side in pixels of the image."),
    Parameter.of(PipelineOptions, "detect_every", "Frames between two detections while every tracked face is visible."),
    Parameter.of(
        PipelineOptions, "nms_iou", "Detections whose intersection over union exceeds this are the same face."
    ),
    Parameter.of(PipelineOptions, "keep_lost", "Seconds for which a lost face keeps its id."),
    Parameter.of(PipelineOptions, "smoothing", "Smooth the points over time (One-Euro filter)."),
    Parameter.of(PipelineOptions, "min_cutoff", "Cut-off of the smoothing for a still face in Hz; lower is calmer."),
    Parameter.of(
        PipelineOptions,
        "beta",
        "Rise of the cut-off with motion, in Hz per (face size per second); higher values lag less.",
    ),
    Parameter.of(
        PipelineOptions,
        "shutter",
        "Detect images of a closed shutter (frozen or flat), for which nothing is published, and repeated images of a slow camera, which "
        "get the last result again.",
    ),
    # temperatures
    Parameter.of(
        PipelineOptions,
        "emissivity",
        "Emissivity of skin (0.98) for a camera that assumes 1; 1 leaves the camera's temperatures unchanged.",
    ),
    Parameter.of(
        PipelineOptions,
        "reflected_temperature",
        "Temperature in degC of the surroundings that the skin reflects; used with an emissivity below 1.",
    ),
    # output
    Parameter(
        "humans",
        False,
        "Publish the faces as ROS4HRI defines them (REP-155), under /humans/faces and in tf; requires hri_msgs.",
        read_only=True,
    ),
    Parameter(
        "overlay_scale",
        0,
        "Integer factor by which the overlay is larger than the image; 0: the smallest that makes its longer side at least 640 px.",
        0,
        8,
    ),
    Parameter("overlay_palette", "grey", "Colours of the overlay.", choices=PALETTES),
    Parameter("overlay_quality", 85, "Quality of the overlay's JPEG.", 1, 100),
    Parameter("diagnostics_period", 1.0, "Seconds between two reports on /diagnostics.", 0.1, 60.0),
)


def decoding(values: Values) -> Decoding:
    """How images are to be read. Raises ValueError where the values do not fit."""
    name = values["unit"]
    return Decoding(
        unit=Unit(name, values["unit_scale"], values["unit_offset"]) if name == CUSTOM_UNIT else UNITS[name],
        rotation=values["rotate"],
        rows=(values["rows_top"], values["rows_bottom"]),
        inverted=values["inverted"],
        max_pixels=values["max_pixels"],
    )


def pipeline_options(values: Values) -> PipelineOptions:
    """The pipeline's options, which are parameters of the same names. Raises ValueError where the values do not fit."""
    return PipelineOptions(**{field.name: values[field.name] for field in fields(PipelineOptions)})
