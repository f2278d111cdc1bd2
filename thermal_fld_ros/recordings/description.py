# SPDX-License-Identifier: Apache-2.0
"""A description of how an input is read: the first thing to check when something looks wrong."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.decoding import UNITS, Decoding, ImageError, ThermalFrame
from thermal_fld_ros.recordings.source import RawImage, Source, SourceError

LOOKED_AT = 200
"""Images that are read at most."""

ROOM = (5.0, 45.0)
"""Medians in degC that an image of people in a room or outdoors may have."""


def described(source: Source, decoding: Decoding, why_unit: str) -> list[tuple[str, str]]:
    """Headings and what is to be said under each.

    Parameters
    ----------
    source : Source
    decoding : Decoding
        As the images will be decoded.
    why_unit : str
        Where its unit is from.
    """
    sizes: Counter[str] = Counter()
    refused: list[str] = []
    stamps: list[float | None] = []
    frames: list[ThermalFrame] = []
    for entry in islice(source.entries(), LOOKED_AT):
        try:
            frames.append(_decoded(entry, decoding))
        except (SourceError, ImageError) as error:
            refused.append(str(error))
            continue
        assert not isinstance(entry, SourceError)
        sizes[f"{entry.width} x {entry.height} px, {entry.encoding}"] += 1
        stamps.append(entry.stamp)
    seen = len(frames) + len(refused)
    of_first = f" (of the first {seen})" if source.length != seen else ""
    lines = [
        ("input", str(source.path)),
        ("taken for", source.kind),
        ("images", f"{'unknown number' if source.length is None else source.length}"),
        *(("", f"{count} of {size}{of_first}" if len(sizes) > 1 else f"{size}") for size, count in sizes.items()),
        *(("unreadable", f"{len(refused)}{of_first}, the first: {refused[0]}") for _ in refused[:1]),
        ("unit", f"{decoding.unit.name}, {why_unit}"),
    ]
    if frames:
        values = np.concatenate([_sampled(frame) for frame in frames])
        lines.append(("raw values", _range(values, "") + of_first))
        lines += _temperatures(values, frames[0])
        lines += [
            ("warning", text) for text in dict.fromkeys(text for frame in frames[:1] for text in frame.warnings())
        ]
    lines.append(("stamps", _told(stamps, source)))
    return lines + [("note", note) for note in source.notes]


def _decoded(entry: RawImage | SourceError, decoding: Decoding) -> ThermalFrame:
    if isinstance(entry, SourceError):
        raise entry
    return entry.decode(decoding)


def _sampled(frame: ThermalFrame) -> NDArray[np.float64]:
    """Some of the pixels, among them the extremes."""
    pixels = frame.pixels
    extremes = np.array([pixels.min(), pixels.max()], np.float64)
    return np.concatenate([pixels[::8, ::8].astype(np.float64).reshape(-1), extremes])


def _range(values: NDArray[np.float64], unit: str) -> str:
    low, middle, high = values.min(), np.median(values), values.max()
    digits = ".1f" if unit else ".6g"
    return f"{low:{digits}} to {high:{digits}}{unit}, median {middle:{digits}}"


def _temperatures(values: NDArray[np.float64], frame: ThermalFrame) -> list[tuple[str, str]]:
    if frame.unit.radiometric:
        return [("temperatures", _range(values * frame.unit.scale + frame.unit.offset, " degC"))]
    if frame.pixels.dtype == np.uint8:
        return [("temperatures", "none: 8 bit after gain control")]
    middle = float(np.median(values))
    fitting = [
        f"{unit.name} ({middle * unit.scale + unit.offset:.1f})"
        for unit in UNITS.values()
        if unit.radiometric and ROOM[0] <= middle * unit.scale + unit.offset <= ROOM[1]
    ]
    hint = f"; units with which the median would be a room temperature in degC: {', '.join(fitting)}" if fitting else ""
    return [("temperatures", f"none: {frame.unit.name} are not temperatures{hint}")]


def _told(stamps: list[float | None], source: Source) -> str:
    known = [stamp for stamp in stamps if stamp is not None]
    if not known:
        return "none" + (f", {source.fps:.3g} images a second" if source.fps else "")
    if len(known) < 2:
        return f"{known[0]:.3f} s"
    steps = np.diff(known)
    usual = float(np.median(steps))
    rate = f", {1.0 / usual:.3g} images a second" if usual > 0 else ""
    back = int((steps < 0).sum())
    return f"{known[0]:.3f} to {known[-1]:.3f} s{rate}" + (f", {back} times back" if back else "")
