# SPDX-License-Identifier: Apache-2.0
"""Which image files belong together, by their names: equal ones, equal indices, or times that are near."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.recordings.messages import RGB, THERMAL
from thermal_fld_ros.recordings.names import natural_key, numbers_in, time_in

WORDS = {
    THERMAL: ("thermal", "thr", "lwir", "tir", "ir", "infrared"),
    RGB: ("rgb", "visible", "visual", "vis", "vi", "color", "colour"),
}
"""By which the names of files and folders tell the two apart."""

NO_RGB_THEN, NO_THERMAL_THEN = "no RGB image at its time", "no thermal image at its time"
NO_RGB_NAME, NO_THERMAL_NAME = "no RGB image of its name", "no thermal image of its name"
NEITHER = "neither thermal nor RGB by its name"
SAME_NAME = "another image of the same name or number"

RICHEST = (".tif", ".tiff", ".npy", ".png")
"""Of images of one name the first of these is taken, which is the likeliest to hold what the camera measured."""

_TOKENS = re.compile(r"([_.\- ]|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z]))")

Files = Mapping[str, Path]
"""By key: what is left of a name when the words that tell the role are taken away."""


class FilePair(NamedTuple):
    """Two files of the same moment; stamp and gap are in seconds if the names contain times."""

    thermal: Path
    rgb: Path
    stamp: float | None = None
    gap: float | None = None


@dataclass
class Matched:
    """What belongs together.

    Attributes
    ----------
    pairs : list of FilePair
        In natural order of the thermal images' keys, or of their times.
    how : str
        By what they were matched, in words.
    left_out : Counter
        Images that are in no pair, by reason.
    """

    pairs: list[FilePair]
    how: str
    left_out: Counter[str] = field(default_factory=Counter)


def told_apart(name: str) -> tuple[str, str] | None:
    """Role and key of a file's name without suffix; None if no word in it names the role.

    The last word that tells it counts. A folder that tells it is no part of the key: thermal_8_bit/FLIR_00001 and RGB/FLIR_00001
    have one key.
    """
    *folders, file = name.split("/")
    words = _TOKENS.split(file)
    for k in range(len(words) - 1, -1, -1):
        role = _role(words[k])
        if role:
            return role, "/".join([*folders, "".join(words[:k] + words[k + 1 :])])
    for k in range(len(folders) - 1, -1, -1):
        role = next((found for word in reversed(_TOKENS.split(folders[k])) if (found := _role(word))), "")
        if role:
            return role, "/".join([*folders[:k], *folders[k + 1 :], file])
    return None


def _role(word: str) -> str:
    return next((role for role, known in WORDS.items() if word.lower() in known), "")


def match_files(
    thermal: Sequence[tuple[str, Path]], rgb: Sequence[tuple[str, Path]], max_gap: float, clock_offset: float
) -> Matched:
    """Pair files by their keys.

    Where every key tells another time (`names.time_in`), each image goes with the one that is nearest in time. Else equal keys go
    together; or, if there are none, keys that are equal but for a number at the end that is the same in all images of a camera; or else
    those with the same numbers.

    Parameters
    ----------
    thermal, rgb : list of key and file
    max_gap : float
        Seconds between two times, at most.
    clock_offset : float
        Seconds added to the times of the RGB images.
    """
    left_out: Counter[str] = Counter()
    found = {THERMAL: _unique(thermal, left_out), RGB: _unique(rgb, left_out)}
    times = {role: [time_in(key) for key in files] for role, files in found.items()}
    if all(_tell_moments(stamps) for stamps in times.values()):
        return _by_time(found, times, max_gap, clock_offset, left_out)
    how = "by equal names"
    if not found[THERMAL].keys() & found[RGB].keys():
        found, how = _by_numbers(found, left_out)
    common = sorted(found[THERMAL].keys() & found[RGB].keys(), key=natural_key)
    for role, reason in ((THERMAL, NO_RGB_NAME), (RGB, NO_THERMAL_NAME)):
        left_out[reason] += len(found[role]) - len(common)
    pairs = [FilePair(found[THERMAL][key], found[RGB][key]) for key in common]
    return Matched(pairs, how, +left_out)


def nearest_pairs(thermal: NDArray[np.int64], rgb: NDArray[np.int64], max_gap: float) -> list[tuple[int, int]]:
    """Indices of pairs of images that are mutually nearest in time; times in ns, the gap in seconds."""
    if not (len(thermal) and len(rgb)):
        return []
    forth, back = _nearest(thermal, rgb), _nearest(rgb, thermal)
    return [(k, int(j)) for k, j in enumerate(forth) if back[j] == k and abs(int(rgb[j] - thermal[k])) <= 1e9 * max_gap]


def _nearest(these: NDArray[np.int64], those: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each of these times the index of the nearest of those."""
    order = np.argsort(those, kind="stable")
    place = np.clip(np.searchsorted(those[order], these), 1, max(len(those) - 1, 1))
    candidates = order[np.stack([place - 1, np.minimum(place, len(those) - 1)])]
    return candidates[np.abs(those[candidates] - these).argmin(axis=0), np.arange(len(these))]


def _unique(files: Sequence[tuple[str, Path]], left_out: Counter[str]) -> dict[str, Path]:
    """One file a key."""
    by_key: defaultdict[str, list[Path]] = defaultdict(list)
    for key, file in files:
        by_key[key].append(file)
    left_out[SAME_NAME] += len(files) - len(by_key)
    return {key: min(same, key=_poverty) for key, same in by_key.items()}


def _poverty(file: Path) -> tuple[int, str]:
    suffix = file.suffix.lower()
    return RICHEST.index(suffix) if suffix in RICHEST else len(RICHEST), file.as_posix()


def _tell_moments(times: Sequence[float | None]) -> bool:
    """Whether these are the times of images, and not that of the whole recording."""
    return bool(times) and None not in times and len(set(times)) == len(times)


def _by_time(
    found: Mapping[str, Files],
    times: Mapping[str, Sequence[float | None]],
    max_gap: float,
    clock_offset: float,
    left_out: Counter[str],
) -> Matched:
    stamps = {role: np.array([round(1e9 * (time or 0.0)) for time in times[role]], np.int64) for role in found}
    files = {role: list(of_role.values()) for role, of_role in found.items()}
    thermal, rgb = stamps[THERMAL], stamps[RGB] + round(1e9 * clock_offset)
    pairs = [
        FilePair(files[THERMAL][k], files[RGB][j], 1e-9 * int(thermal[k]), 1e-9 * int(rgb[j] - thermal[k]))
        for k, j in nearest_pairs(thermal, rgb, max_gap)
    ]
    left_out[NO_RGB_THEN] += len(thermal) - len(pairs)
    left_out[NO_THERMAL_THEN] += len(rgb) - len(pairs)
    pairs.sort(key=lambda pair: (pair.stamp, pair.thermal))
    return Matched(pairs, f"by the times in their names, at most {max_gap:g} s apart", +left_out)


def _by_numbers(found: Mapping[str, Files], left_out: Counter[str]) -> tuple[dict[str, dict[str, Path]], str]:
    """The files grouped by the common part of their names, and a description of that part."""
    of_camera = {role: {_parted(key)[1] for key in files} for role, files in found.items()}
    if all(len(numbers) == 1 and "" not in numbers for numbers in of_camera.values()):
        # as SpeakingFaces' names end with the number of the camera
        keyed = {role: [(_parted(key)[0], file) for key, file in files.items()] for role, files in found.items()}
        how = "by names that are equal but for the camera's number at the end"
    else:
        keyed = {
            role: [(" ".join(map(str, numbers)), file) for key, file in files.items() if (numbers := numbers_in(key))]
            for role, files in found.items()
        }
        for role, reason in ((THERMAL, NO_RGB_NAME), (RGB, NO_THERMAL_NAME)):
            left_out[reason] += len(found[role]) - len(keyed[role])
        how = "by the numbers in their names"
    return {role: _unique(files, left_out) for role, files in keyed.items()}, how


def _parted(key: str) -> tuple[str, str]:
    """A key without the number at its end, and that number."""
    ending = re.search(r"[_-](\d+)$", key)
    return (key[: ending.start()], ending[1]) if ending else (key, "")
