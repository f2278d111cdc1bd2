# SPDX-License-Identifier: Apache-2.0
"""Arrays of numpy: .npy, and .npz with stamps, rate and unit beside the frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import UNITS
from thermal_fld_ros.recordings.source import Entry, Reading, Source, SourceError, image_of_array, reading

SUFFIXES = (".npy", ".npz")

THINNEST = 4
"""Least rows and columns of an image."""
LONGEST_RATIO = 4.0
"""Most that an image is longer than wide, or wider than long."""

SENSORS = {
    (60, 80), (120, 160), (154, 206), (156, 206), (192, 256), (240, 320), (256, 320), (288, 382), (288, 384), (252, 336),
    (480, 640), (512, 640), (512, 644), (514, 640), (240, 240), (480, 764), (768, 1024), (24, 32), (62, 80),
}  # fmt: skip
"""Rows and columns of common thermal cameras: a third axis beside two of these is time."""


def open_arrays(path: Path, options: Reading) -> Source:
    """Frames of a .npy file, mapped and not loaded, or of an .npz archive."""
    loaded = _load(path)
    stamps: NDArray[Any] | None = None
    fps: float | None = None
    unit: str | None = None
    if isinstance(loaded, np.ndarray):
        frames = loaded
    else:
        with loaded, reading(path):
            frames = _frames_of(path, loaded)
            stamps = loaded["stamps"] if "stamps" in loaded.files else None
            fps = _rate_of(path, loaded["fps"]) if "fps" in loaded.files else None
            unit = str(loaded["unit"]) if "unit" in loaded.files else None
    shape = frames.shape
    if options.axes:
        axes, note = check_axes(options.axes, shape, path), ""
    elif frames.ndim >= 3 and stamps is not None and stamps.shape == shape[:1]:
        axes, note = "THWC"[: frames.ndim], ""
    else:
        axes, note = axes_of(shape, frames.dtype, path)
    frames = in_order(frames, axes)
    if len(frames) == 0:
        raise SourceError(f"{path}: an array of shape {shape} holds no images")
    if stamps is not None and stamps.shape != (len(frames),):
        raise SourceError(f"{path}: stamps have shape {stamps.shape}, expected ({len(frames)},)")
    if stamps is not None and not (stamps.dtype.kind in "iuf" and np.isfinite(stamps).all()):
        raise SourceError(f"{path}: stamps are of type {stamps.dtype}, expected finite numbers, in seconds")
    if unit is not None and unit not in UNITS:
        raise SourceError(f'{path}: unit "{unit}" is unknown, expected one of {", ".join(UNITS)}')

    def entries() -> Iterator[Entry]:
        for index, frame in enumerate(frames):
            stamp = float(stamps[index]) if stamps is not None else index / fps if fps else None
            yield image_of_array(frame, f"{path.name}[{index}]" if "T" in axes else path.name, stamp)

    kind = f"array {shape} {frames.dtype}, axes {axes}"
    return Source(path, kind, len(frames), entries, fps, unit, (note,) if note else ())


def _rate_of(path: Path, value: NDArray[Any]) -> float:
    if value.ndim != 0 or value.dtype.kind not in "iuf" or not 0.0 < float(value) < np.inf:
        raise SourceError(f"{path}: fps is {value!r}, expected one number above 0")
    return float(value)


def check_axes(axes: str, shape: tuple[int, ...], path: Path) -> str:
    """The axes in capitals; raises SourceError where they do not fit the array."""
    given = axes.upper()
    if len(given) != len(shape) or len(set(given)) != len(given) or not {"H", "W"} <= set(given) <= set("THWC"):
        raise SourceError(
            f'{path}: the axes "{axes}" do not fit an array of shape {shape}: expected a letter an axis, '
            "of T (time), H (rows), W (columns) and C (colour), such as THW or HWT"
        )
    return given


def axes_of(shape: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> tuple[str, str]:
    """The axes of an array by its shape, and a sentence where that is not the usual order.

    Raises SourceError where it holds no images, or may hold them in more than one way.
    """
    if len(shape) == 2 and min(shape) > 0:
        return "HW", ""
    if len(shape) == 3 and dtype == np.uint8 and shape[2] in (3, 4):
        return "HWC", ""
    if len(shape) == 4 and shape[3] in (1, 3, 4):
        return "THWC", ""
    if len(shape) != 3 or 0 in shape:
        raise SourceError(f"{path}: an array of shape {shape} holds no images, expected (T, H, W) or (H, W)")
    last, first = (is_image(shape[1:]), is_sensor(shape[1:])), (is_image(shape[:2]), is_sensor(shape[:2]))
    if last > first or (last == first and last == (True, False)):
        return "THW", ""
    if first > last:
        return "HWT", (
            f"an array of shape {shape} is read as (H, W, T), {shape[2]} images of {shape[1]} x {shape[0]} pixels, as MATLAB lays "
            "them out; --axes THW reads it otherwise"
        )
    raise SourceError(
        f"{path}: an array of shape {shape} may be (T, H, W), {shape[0]} images of {shape[2]} x {shape[1]} pixels, or (H, W, T), "
        f"{shape[2]} of {shape[1]} x {shape[0]}: say which with --axes THW or --axes HWT"
    )


def is_image(size: tuple[int, ...]) -> bool:
    """Whether these may be the sides of an image, and not those of a strip."""
    return min(size) >= THINNEST and max(size) <= LONGEST_RATIO * min(size)


def is_sensor(size: tuple[int, ...]) -> bool:
    """Whether the size is that of a common thermal camera, in either orientation."""
    return tuple(sorted(size)) in SENSORS


def in_order(array: NDArray[Any], axes: str) -> NDArray[Any]:
    """A view as (T, H, W) or (T, H, W, C)."""
    if "T" not in axes:
        array, axes = array[None], "T" + axes
    return array.transpose([axes.index(axis) for axis in ("THWC" if "C" in axes else "THW")])


def _load(path: Path) -> Any:
    with reading(path):
        return np.load(path, mmap_mode="r" if path.suffix.lower() == ".npy" else None, allow_pickle=False)


def _frames_of(path: Path, archive: Any) -> NDArray[Any]:
    name = "frames" if "frames" in archive.files else archive.files[0] if len(archive.files) == 1 else None
    if name is None:
        raise SourceError(f'{path}: expected an array named "frames", found {", ".join(archive.files) or "nothing"}')
    frames: NDArray[Any] = archive[name]
    return frames
