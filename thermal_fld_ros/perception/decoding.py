# SPDX-License-Identifier: Apache-2.0
"""From the bytes of an image message to a `ThermalFrame`.

Nothing here converts, rotates or copies a whole 8- or 16-bit image: a frame is a view into the message plus what is known
about it, and pixels are fetched through one affine map when a network asks for them.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.geometry import Affine, Size

KELVIN_ZERO = -273.15
PLAUSIBLE_CELSIUS = (-80.0, 400.0)
MAX_DEAD_SHARE = 0.5
IDENTITY = np.eye(2, 3)
LEAST_SCALE, MOST_SCALE = 1e-6, 1e6  # degC per count, and the limit of an offset
LARGEST_VALUE = 1e9  # larger floating-point values are as dead as infinity


class ImageError(ValueError):
    """An image that cannot be used.

    Attributes
    ----------
    reason : str
        Short and stable, to count by: "size", "max_pixels", "encoding", "step", "short_data", "rows", "unit", "not_finite",
        "shape", "message".
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Unit:
    """What a raw value means: degC = raw * scale + offset, if it is a temperature at all."""

    name: str
    scale: float = 1.0
    offset: float = 0.0
    radiometric: bool = True

    def __post_init__(self) -> None:
        if not (LEAST_SCALE <= abs(self.scale) <= MOST_SCALE and abs(self.offset) <= MOST_SCALE):
            raise ValueError(
                f'unit "{self.name}": scale is {self.scale} and offset {self.offset}, expected a scale of {LEAST_SCALE:g} to '
                f"{MOST_SCALE:g} or its negative, and an offset of at most {MOST_SCALE:g}"
            )


UNITS: dict[str, Unit] = {
    unit.name: unit
    for unit in (
        Unit("counts", radiometric=False),
        Unit("agc", radiometric=False),
        Unit("celsius"),
        Unit("kelvin", 1.0, KELVIN_ZERO),
        Unit("decikelvin", 0.1, KELVIN_ZERO),
        Unit("centikelvin", 0.01, KELVIN_ZERO),
        Unit("tlinear_0.04", 0.04, KELVIN_ZERO),
        Unit("tlinear_0.4", 0.4, KELVIN_ZERO),
        Unit("kelvin_64", 1.0 / 64.0, KELVIN_ZERO),
        Unit("optris", 0.1, -100.0),
        Unit("gazebo_8bit", 3.0, KELVIN_ZERO),
    )
}


@dataclass(frozen=True)
class Decoding:
    """What the message does not say about the camera.

    Attributes
    ----------
    unit : Unit
        Never guessed; "counts" (no temperatures) unless told.
    rotation : int
        Clockwise turn in degrees (0, 90, 180, 270) that brings the incoming image upright.
    rows : (int, int)
        Rows dropped at the top and at the bottom of the incoming image: telemetry, a stacked second image.
    inverted : bool
        Warm is dark ("black hot").
    max_pixels : int
        Larger images are refused before any memory is touched.
    """

    unit: Unit = UNITS["counts"]
    rotation: int = 0
    rows: tuple[int, int] = (0, 0)
    inverted: bool = False
    max_pixels: int = 16_000_000

    def __post_init__(self) -> None:
        if self.rotation not in (0, 90, 180, 270):
            raise ValueError(f"rotation must be 0, 90, 180 or 270 degrees, not {self.rotation}")
        if min(self.rows) < 0:
            raise ValueError(f"rows to drop must not be negative, got {self.rows}")


DEFAULTS = Decoding()


@dataclass(frozen=True)
class _Encoding:
    dtype: type[np.generic]
    channels: int = 1
    luma: int | None = None  # OpenCV's colour conversion; None: grey already


_ENCODINGS = {
    "mono8": _Encoding(np.uint8),
    "8UC1": _Encoding(np.uint8),
    "mono16": _Encoding(np.uint16),
    "16UC1": _Encoding(np.uint16),
    "32FC1": _Encoding(np.float32),
    "64FC1": _Encoding(np.float64),
    "8SC1": _Encoding(np.int8),
    "16SC1": _Encoding(np.int16),
    "32SC1": _Encoding(np.int32),
    "rgb8": _Encoding(np.uint8, 3, cv2.COLOR_RGB2GRAY),
    "bgr8": _Encoding(np.uint8, 3, cv2.COLOR_BGR2GRAY),
    "8UC3": _Encoding(np.uint8, 3, cv2.COLOR_BGR2GRAY),
    "rgba8": _Encoding(np.uint8, 4, cv2.COLOR_RGBA2GRAY),
    "bgra8": _Encoding(np.uint8, 4, cv2.COLOR_BGRA2GRAY),
    "8UC4": _Encoding(np.uint8, 4, cv2.COLOR_BGRA2GRAY),
    "yuv422": _Encoding(np.uint8, 2, cv2.COLOR_YUV2GRAY_UYVY),
    "uyvy": _Encoding(np.uint8, 2, cv2.COLOR_YUV2GRAY_UYVY),
    "yuv422_yuy2": _Encoding(np.uint8, 2, cv2.COLOR_YUV2GRAY_YUY2),
    "yuyv": _Encoding(np.uint8, 2, cv2.COLOR_YUV2GRAY_YUY2),
}
ENCODINGS = tuple(_ENCODINGS)
GREY_ENCODINGS = tuple(name for name, layout in _ENCODINGS.items() if layout.luma is None)
"""Encodings that may hold what a camera measured; the others show a palette."""

_OTHER_NAMES = {
    "mono16": (
        "y16",
        "gray16",
        "grey16",
        "gray16le",
        "l16",
        "mono10",
        "mono12",
        "mono14",
        "y10",
        "y12",
        "y14",
        "uint16",
    ),
    "mono8": ("y8", "y800", "gray", "grey", "gray8", "grey8", "l8", "uint8"),
    "32FC1": ("float", "float32", "f32"),
    "64FC1": ("double", "float64", "f64"),
}
"""What drivers and other libraries call these, in small letters."""


@dataclass(frozen=True, eq=False)
class ThermalFrame:
    """One image, as delivered, with what is known about it. Made by `decode` or `decode_array`.

    Attributes
    ----------
    pixels : (h, w) uint8, uint16 or float32
        Rows of the incoming image that are left after the row crop; a view into the incoming data where possible (read it,
        never write it; 16-bit pixels may be of foreign byte order, as their dtype says). Finite.
    unit, inverted, rotation
        As in `Decoding`.
    image_size : (int, int)
        Width and height of the incoming image.
    top : int
        Rows dropped above `pixels`.
    dead_share : float
        Share of pixels that were NaN or infinite and were filled from their neighbours.
    """

    pixels: NDArray[Any]
    unit: Unit
    inverted: bool
    rotation: int
    image_size: Size
    top: int = 0
    dead_share: float = 0.0
    _pixels_from_upright: Affine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        height, width = self.pixels.shape
        turns = Affine.quarter_turns(self.rotation, (width, height))
        object.__setattr__(self, "_pixels_from_upright", turns.inverse())

    @property
    def upright_size(self) -> Size:
        """Width and height of the frame in which faces stand upright."""
        height, width = self.pixels.shape
        return (height, width) if self.rotation in (90, 270) else (width, height)

    @cached_property
    def upright_to_image(self) -> Affine:
        """From upright pixels to those of the incoming image."""
        return Affine.translation(0.0, self.top) @ self._pixels_from_upright

    def sample(self, crop_to_upright: Affine, size: Size) -> NDArray[Any]:
        """Fetch a crop through an affine map.

        Parameters
        ----------
        crop_to_upright : Affine
            From the crop's pixels to upright pixels.
        size : (int, int)
            Width and height of the crop.

        Returns
        -------
        (height, width) of the camera's dtype in native byte order. Bilinear; averaged over areas where the crop shrinks the
        image to half or less; the border is replicated outwards. It may be a view of the frame: read it, never write it.
        """
        source, crop_to_source = self.pixels, self._pixels_from_upright @ crop_to_upright
        # halves and halves again: OpenCV averages two by two pixels four times as fast as any other number of them
        factor = 2 ** max(0, math.floor(math.log2(crop_to_source.scale + 1e-6)))
        if factor >= 2 or not source.dtype.isnative:
            source, crop_to_source = _region(source, crop_to_source, size, factor)
        if source.shape == size[::-1] and np.abs(crop_to_source.matrix - IDENTITY).max() < 1e-6:
            return source  # a whole frame that was only halved needs no second pass
        sampled: NDArray[Any] = cv2.warpAffine(
            source,
            crop_to_source.matrix,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return sampled

    def celsius(self, raw: NDArray[Any] | float) -> NDArray[np.float32]:
        """Raw values in degC, float32 of the same shape; NaN where the unit is not radiometric."""
        values = np.asarray(raw)
        if not self.unit.radiometric:
            return np.full(values.shape, np.nan, dtype=np.float32)
        return (values * np.float64(self.unit.scale) + self.unit.offset).astype(np.float32)

    def warnings(self) -> list[str]:
        """What looks wrong with this frame, as sentences; costs a subsample's median, so ask now and then, not every frame."""
        found = []
        if self.dead_share > 0.0:
            found.append(f"{self.dead_share:.1%} of the pixels are not finite and were filled from their neighbours")
        if self.unit.radiometric:
            median = float(self.celsius(float(np.median(self.pixels[::8, ::8]))))
            if not PLAUSIBLE_CELSIUS[0] <= median <= PLAUSIBLE_CELSIUS[1]:
                found.append(
                    f'the median temperature would be {median:.0f} degC: is the unit really "{self.unit.name}" '
                    f"(degC = raw * {self.unit.scale:g} + {self.unit.offset:g})?"
                )
        return found


def decode(
    data: Any,
    *,
    height: int,
    width: int,
    encoding: str,
    step: int,
    is_bigendian: bool,
    options: Decoding = DEFAULTS,
) -> ThermalFrame:
    """Decode the fields of a `sensor_msgs/Image`.

    Parameters
    ----------
    data : bytes, memoryview, array.array or uint8 array
        Anything with the buffer protocol; not copied for single-channel images.
    height, width, encoding, step, is_bigendian
        As in the message; `step` is the length of a row in bytes, padding included.
    options : Decoding

    Raises
    ------
    ImageError
        The image cannot be used; `.reason` says in one word why.
    """
    _check_pixels(width * height, options)
    pixels = message_pixels(data, height=height, width=width, encoding=encoding, step=step, is_bigendian=is_bigendian)
    layout = _ENCODINGS[encoding]
    if layout.luma is None:
        if step % pixels.itemsize:  # OpenCV takes only rows of whole pixels
            pixels = pixels.copy()
        return _frame(pixels, options)
    if layout.channels == 2 and width % 2:
        raise ImageError("size", f"a {encoding} image is {width} pixels wide, expected an even number")
    _check_grey(encoding, options)
    return _frame(cv2.cvtColor(pixels, layout.luma), options)


def message_pixels(data: Any, *, height: int, width: int, encoding: str, step: int, is_bigendian: bool) -> NDArray[Any]:
    """The fields of a `sensor_msgs/Image` as a view of its data, as they are: (H, W) or (H, W, C), of the message's byte order.

    Raises ImageError where they do not fit together. Thermal images to work on come from `decode`.
    """
    if height <= 0 or width <= 0:
        raise ImageError("size", f"the image is {width} x {height} pixels, expected at least 1 x 1")
    layout = _ENCODINGS.get(encoding)
    if layout is None:
        raise ImageError(
            "encoding",
            f'encoding "{encoding}" is not supported, expected one of {", ".join(ENCODINGS)}{_meant(encoding)}',
        )
    dtype = np.dtype(layout.dtype).newbyteorder(">" if is_bigendian else "<")
    row = width * layout.channels * dtype.itemsize
    if step < row:
        raise ImageError("step", f"step is {step} bytes, expected at least {row} for {width} pixels of {encoding}")
    buffer = memoryview(data).cast("B")
    if buffer.nbytes < step * (height - 1) + row:  # some drivers leave out the padding of the last row
        raise ImageError(
            "short_data",
            f"data has {buffer.nbytes} bytes, expected {step * height} ({height} rows of {step} bytes)",
        )
    if layout.channels == 1:
        return np.ndarray((height, width), dtype, buffer, strides=(step, dtype.itemsize))
    strides = (step, layout.channels * dtype.itemsize, dtype.itemsize)
    return np.ndarray((height, width, layout.channels), dtype, buffer, strides=strides)


def decode_array(array: NDArray[Any], options: Decoding = DEFAULTS) -> ThermalFrame:
    """Make a frame of an array, as `message_array` takes them; raises ImageError as `decode` does."""
    if array.ndim >= 2:
        _check_pixels(array.shape[0] * array.shape[1], options)
    pixels, encoding = message_array(array)
    layout = _ENCODINGS[encoding]
    if layout.luma is None:
        return _frame(pixels, options)
    _check_grey(encoding, options)
    return _frame(cv2.cvtColor(pixels, layout.luma), options)


def message_array(array: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """An array as the pixels and the encoding of a ROS image.

    Parameters
    ----------
    array : (H, W) or (H, W, 1) of any real dtype, or (H, W, 3 or 4) uint8 in OpenCV's order (BGR, BGRA)
        8- and 16-bit unsigned and float32 arrays are not copied; other integers become uint16 where their values fit and
        float32 otherwise.

    Raises
    ------
    ImageError
        The array is no image.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            "shape", f"an array of shape {array.shape} is not an image, expected (H, W), (H, W, 3) or (H, W, 4)"
        )
    if array.size == 0:
        raise ImageError("size", f"the image is {array.shape[1]} x {array.shape[0]} pixels, expected at least 1 x 1")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3:
        if array.dtype != np.uint8:
            raise ImageError("shape", f"a colour image has dtype {array.dtype}, expected uint8")
        return array, "bgr8" if array.shape[2] == 3 else "bgra8"
    pixels = _camera_dtype(array)
    return pixels, {1: "mono8", 2: "mono16", 4: "32FC1"}[pixels.itemsize]


def _meant(encoding: str) -> str:
    """The encoding that a wrong name is likely to mean, as a question."""
    name = encoding.strip().lower()
    known = {one.lower(): one for one in ENCODINGS}
    known |= {other: one for one, others in _OTHER_NAMES.items() for other in others}
    near = difflib.get_close_matches(name, known, 1)
    return f'; did you mean "{known[near[0]]}"?' if near else ""


def _check_pixels(count: int, options: Decoding) -> None:
    if count > options.max_pixels:
        raise ImageError("max_pixels", f"the image has {count} pixels, expected at most {options.max_pixels}")


def _check_grey(encoding: str, options: Decoding) -> None:
    if options.unit.radiometric:
        raise ImageError(
            "unit",
            f'a {encoding} image shows a colour palette and holds no temperatures: expected unit "agc" or "counts", '
            f'not "{options.unit.name}"',
        )


def _camera_dtype(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype in (np.uint8, np.uint16, np.float32):
        contiguous_rows = array.strides[1] == array.itemsize and array.strides[0] >= array.itemsize
        return array if contiguous_rows else np.ascontiguousarray(array)
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind in "iu":
        return array.astype(np.uint16 if array.min() >= 0 and array.max() <= 65535 else np.float32)
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    raise ImageError("shape", f"an image has dtype {array.dtype}, expected integers or floating-point numbers")


def _frame(pixels: NDArray[Any], options: Decoding) -> ThermalFrame:
    """Row crop; signed and floating-point pixels become float32 of native byte order, dead ones filled."""
    height, width = pixels.shape
    top, bottom = options.rows
    if top + bottom >= height:
        raise ImageError("rows", f"cannot drop {top} + {bottom} rows, because the image has only {height}")
    pixels = pixels[top : height - bottom]
    dead_share = 0.0
    if pixels.dtype.kind in "fi":
        with np.errstate(over="ignore"):  # of 64 bit: what is beyond 32 is dead
            pixels, dead_share = _fill_dead(np.asarray(pixels, dtype=np.float32))
    return ThermalFrame(pixels, options.unit, options.inverted, options.rotation, (width, height), top, dead_share)


def _fill_dead(pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Fill pixels that are not finite with the mean of the finite ones in 5 x 5, or the median of all; and say how many.

    Cameras mark dead pixels and "out of range" so; more than half of a frame is a fault.
    """
    with np.errstate(invalid="ignore"):
        finite = np.abs(pixels) < LARGEST_VALUE
    if finite.all():
        return pixels, 0.0
    dead_share = 1.0 - float(finite.mean())
    if dead_share > MAX_DEAD_SHARE:
        raise ImageError(
            "not_finite", f"{dead_share:.0%} of the pixels are NaN or infinite, expected at most {MAX_DEAD_SHARE:.0%}"
        )
    median = np.median(pixels[finite])
    centred = np.where(finite, pixels - median, np.float32(0.0)).astype(np.float32)
    weight = cv2.boxFilter(finite.astype(np.float32), -1, (5, 5), normalize=False)
    total = cv2.boxFilter(centred, -1, (5, 5), normalize=False)
    filled = np.where(finite, pixels, median + total / np.maximum(weight, 1.0))
    return filled.astype(np.float32), dead_share


def _region(pixels: NDArray[Any], crop_to_pixels: Affine, size: Size, factor: int) -> tuple[NDArray[Any], Affine]:
    """The part of `pixels` that a crop looks at, in native byte order and area-averaged by a factor, a power of 2.

    Returns it with the map from the crop to it.
    """
    height, width = pixels.shape
    right, bottom = size[0] - 1.0, size[1] - 1.0
    corners = crop_to_pixels([(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)])
    low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    x, columns = _span(low[0], high[0], width, factor)
    y, rows = _span(low[1], high[1], height, factor)
    region = pixels[y : y + rows, x : x + columns]
    if not region.dtype.isnative:
        region = region.astype(region.dtype.newbyteorder("="))
    crop_to_region = Affine.translation(-x, -y) @ crop_to_pixels
    while factor > 1:
        half = max(1, region.shape[1] // 2), max(1, region.shape[0] // 2)
        region, factor = cv2.resize(region, half, interpolation=cv2.INTER_AREA), factor // 2
    return region, Affine.resize((columns, rows), region.shape[::-1]) @ crop_to_region


def _span(low: float, high: float, length: int, factor: int) -> tuple[int, int]:
    """Start and length of the pixels between `low` and `high` with a margin, inside the image, in multiples of `factor`.

    A remainder at the image's border (less than `factor` pixels) is left out.
    """
    margin = factor + 1
    start = min(max(math.floor(low) - margin, 0), length - 1)
    stop = min(max(math.ceil(high) + margin + 1, start + 1), length)
    count = stop - start
    whole = count - count % factor
    return (start, whole) if whole else (start, count)
