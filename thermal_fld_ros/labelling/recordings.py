# SPDX-License-Identifier: Apache-2.0
"""Pairs of a thermal and an RGB image from rosbag2 recordings and from folders of images.

>>> recording = open_recording("captures/s01_20260101_120000", Matching())
>>> for pair in recording:
...     pair.thermal.decode(decoding), rgb_pixels(pair.rgb)
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from thermal_fld_ros.datasets.pairs import ABOUT, INDEX, read_about, read_index, read_pairs
from thermal_fld_ros.labelling.matching import (
    NEITHER,
    NO_RGB_THEN,
    NO_THERMAL_THEN,
    WORDS,
    match_files,
    nearest_pairs,
    told_apart,
)
from thermal_fld_ros.recordings.bag import SUFFIXES as BAG_SUFFIXES
from thermal_fld_ros.recordings.bag import bag_reader, image_of_message, is_bag, stamp_of_message, topics_of
from thermal_fld_ros.recordings.folder import IMAGE_SUFFIXES, is_hidden
from thermal_fld_ros.recordings.manifest import is_unfinished, read_manifest
from thermal_fld_ros.recordings.messages import IMAGES, RGB, THERMAL, stamp_of
from thermal_fld_ros.recordings.names import natural_key
from thermal_fld_ros.recordings.opening import open_source
from thermal_fld_ros.recordings.source import RawImage, SourceError

UNPAIRED = NO_RGB_THEN
UNREADABLE = "cannot be decoded"
INCOMPLETE = "without a thermal or an RGB image"
STRUCK = "struck by a review"


@dataclass(frozen=True)
class Matching:
    """How the two images of a pair are found.

    Attributes
    ----------
    max_gap : float
        Seconds between the two stamps, at most, in bags that were not recorded as pairs and in folders whose names tell times.
    clock_offset : float or None
        Seconds added to the RGB camera's stamps; None: as the capture node did, else 0.
    topics : dict
        Of "thermal" and "rgb", where the bag's manifest does not tell.
    subject : str
        Regular expression whose first group in a file's path within its folder is the subject.
    """

    max_gap: float = 0.05
    clock_offset: float | None = None
    topics: dict[str, str] = field(default_factory=dict)
    subject: str = ""


@dataclass(frozen=True, eq=False)
class RecordedPair:
    """Two images of one moment; they are read when they are asked for.

    Attributes
    ----------
    name : str
    read : dict of functions
        Each gives the image of a role, "thermal" or "rgb", or raises SourceError.
    subject : str
        Empty: not told.
    stamp, gap : float or None
        Seconds: the thermal image's stamp, and the RGB image's minus that, clock offset included.
    """

    name: str
    read: dict[str, Callable[[], RawImage]]
    subject: str = ""
    stamp: float | None = None
    gap: float | None = None

    @cached_property
    def thermal(self) -> RawImage:
        """The thermal image; raises SourceError."""
        return self.read[THERMAL]()

    @cached_property
    def rgb(self) -> RawImage:
        """The RGB image; raises SourceError."""
        return self.read[RGB]()


@dataclass(frozen=True, eq=False)
class Recording:
    """The pairs of one recording, in order; each iteration starts from the beginning.

    Attributes
    ----------
    name : str
        Of the episode: the folder's.
    path : str
        As the user wrote it.
    files : list of Path
        All that it consists of.
    pairs : function
    length : int
        Number of pairs; of a bag at most.
    about : dict
        Subject, consent and note, where there is a manifest that tells.
    left_out : dict
        Count by reason of images that are in no pair.
    how : str
        By what the images of a pair were found to belong together, in words.
    """

    name: str
    path: str
    files: list[Path]
    pairs: Callable[[], Iterator[RecordedPair]]
    length: int
    about: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    how: str = ""

    def __iter__(self) -> Iterator[RecordedPair]:
        return self.pairs()

    def digest(self) -> str:
        """SHA-256 of the names and contents of the files."""
        whole = hashlib.sha256()
        for path in sorted(self.files):
            whole.update(f"{path.name} {sha256_of(path)}\n".encode())
        return whole.hexdigest()


def sha256_of(path: Path) -> str:
    """Of a file's contents."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def open_recording(text: str, matching: Matching) -> Recording:
    """Open what a user wrote: PATH or NAME=PATH.

    PATH is a rosbag2 (its folder, an .mcap or a .db3 file), a data set with whole images, a folder whose images' names or folders
    say which is which (a_thermal.png, a_rgb.png), or two folders THERMAL:RGB. `matching.match_files` tells which files are a pair.

    Raises
    ------
    ValueError
        There are no pairs in it, or what it holds is malformed.
    """
    name, equals, rest = text.partition("=")
    path = rest if equals and not Path(text).exists() else text
    if path == text:
        name = ""
    one, colon, other = path.partition(":")
    if colon and not Path(path).exists():
        recording = _folders(path, Path(one), Path(other), matching)
    elif is_bag(Path(path)):
        recording = _bag(path, matching)
    elif (Path(path) / INDEX).is_file():
        recording = _data_set(path)
    elif Path(path).is_dir():
        recording = _folder(path, matching)
    else:
        raise SourceError(f"{path}: no such file or folder")
    given = name or recording.name
    return replace(recording, name=re.sub(r"[^\w.-]+", "_", given).strip("._") or "recording")


# --- bags


def _bag(text: str, matching: Matching) -> Recording:
    path = Path(text)
    if path.is_dir() and is_unfinished(path.absolute()):
        raise SourceError(
            f"{path}: its recording was not finished. To finish it, run: python -m thermal_fld_ros recover {path}"
        )
    manifest = read_manifest(path)
    told = manifest.get("topics", {})
    topics = {role: matching.topics.get(role) or told.get(role, {}).get("name", "") for role in WORDS}
    with bag_reader(path) as reader:
        counts = topics_of(reader, IMAGES)
    for role, topic in topics.items():
        if topic not in counts:
            found = ", ".join(sorted(counts)) or "none"
            raise SourceError(
                f"{path}: {f'no images on {topic}' if topic else f'which topic is {role}?'} There are images on: {found}"
            )
    offset = matching.clock_offset
    if offset is None:
        offset = float(manifest.get("settings", {}).get("clock_offset", 0.0))
    about = {key: str(manifest[key]) for key in ("subject", "consent", "note") if manifest.get(key)}
    files = [file for file in sorted(path.iterdir()) if file.suffix in BAG_SUFFIXES] if path.is_dir() else [path]
    name = path.absolute().name if path.is_dir() else path.stem
    subject = about.get("subject", "")
    if told:  # the capture node gave the messages of a pair one time
        length = _full_times(path, topics, counts)
        left_out = _unpaired({role: counts[topic] for role, topic in topics.items()}, length)
        pairs = partial(_of_one_time, path, topics, subject, offset)
        return Recording(name, text, files, pairs, length, about, left_out, "by the bag's times")
    matched, seen = _match(path, topics, offset, matching.max_gap)
    length = len(matched) // len(topics)
    pairs = partial(_matched, path, topics, subject, offset, matched)
    how = f"by the stamps, at most {matching.max_gap:g} s apart"
    return Recording(name, text, files, pairs, length, about, _unpaired(seen, length), how)


def _unpaired(counts: dict[str, int], pairs: int) -> dict[str, int]:
    """Images of each role that are in no pair, by reason."""
    left_out = {NO_RGB_THEN: counts[THERMAL] - pairs, NO_THERMAL_THEN: counts[RGB] - pairs}
    return {reason: count for reason, count in left_out.items() if count}


def _full_times(path: Path, topics: dict[str, str], counts: dict[str, int]) -> int:
    """Number of times at which a bag has a message of every topic."""
    of_roles = {counts[topic] for topic in topics.values()}
    if len(of_roles) == 1:
        return of_roles.pop()
    times: Counter[int] = Counter()
    with bag_reader(path) as reader:
        chosen = [one for one in reader.connections if one.topic in topics.values()]
        times.update(time for _, time, _ in reader.messages(chosen))
    return sum(count == len(topics) for count in times.values())


def _of_one_time(path: Path, topics: dict[str, str], subject: str, offset: float) -> Iterator[RecordedPair]:
    with bag_reader(path) as reader:
        roles = {topic: role for role, topic in topics.items()}
        chosen = [one for one in reader.connections if one.topic in roles]
        for number, (time, group) in enumerate(groupby(reader.messages(chosen), key=lambda entry: entry[1])):
            messages = {roles[one.topic]: (one, data) for one, _, data in group}
            if len(messages) == len(roles):
                yield _pair(reader, f"{path.name}[{number}]", messages, time, subject, offset)


def _match(
    path: Path, topics: dict[str, str], offset: float, max_gap: float
) -> tuple[dict[tuple[str, int], int], dict[str, int]]:
    """Of a bag without pairs: by role and number of the message the number of its pair, and how many images there are by role."""
    stamps: dict[str, list[int]] = {role: [] for role in topics}
    with bag_reader(path) as reader:
        for role, topic in topics.items():
            chosen = [one for one in reader.connections if one.topic == topic]
            stamps[role] = [_stamp(reader, one, data, time) for one, time, data in reader.messages(chosen)]
    thermal, rgb = (np.array(stamps[role], np.int64) for role in (THERMAL, RGB))
    kept = nearest_pairs(thermal, rgb + round(1e9 * offset), max_gap)
    pairs = {(role, index[role == RGB]): n for n, index in enumerate(kept) for role in topics}
    return pairs, {role: len(of_role) for role, of_role in stamps.items()}


def _stamp(reader: Any, connection: Any, data: bytes, time: int) -> int:
    """Of a serialised message, in ns."""
    if reader.is2:
        return stamp_of(data) or time
    return stamp_of_message(reader.deserialize(data, connection.msgtype), time)


def _matched(
    path: Path, topics: dict[str, str], subject: str, offset: float, pairs: dict[tuple[str, int], int]
) -> Iterator[RecordedPair]:
    roles = {topic: role for role, topic in topics.items()}
    waiting: dict[int, dict[str, Any]] = {}
    seen = Counter[str]()
    with bag_reader(path) as reader:
        chosen = [one for one in reader.connections if one.topic in roles]
        for one, time, data in reader.messages(chosen):
            role = roles[one.topic]
            number = pairs.get((role, seen[role]))
            seen[role] += 1
            if number is None:
                continue
            messages = waiting.setdefault(number, {})
            messages[role] = (one, data)
            if len(messages) == len(roles):
                yield _pair(reader, f"{path.name}[{number}]", waiting.pop(number), time, subject, offset)


def _pair(reader: Any, name: str, messages: dict[str, Any], time: int, subject: str, offset: float) -> RecordedPair:
    def read(role: str) -> RawImage:
        connection, data = messages[role]
        return image_of_message(reader.deserialize(data, connection.msgtype), f"{name} {role}", time)

    stamps = {role: _stamp(reader, one, data, time) * 1e-9 for role, (one, data) in messages.items()}
    gap = stamps[RGB] + offset - stamps[THERMAL]
    return RecordedPair(name, {role: partial(read, role) for role in messages}, subject, stamps[THERMAL], gap)


# --- folders


def _data_set(text: str) -> Recording:
    """The whole images of a data set, each pair once, however many faces are in it; without what a review has struck."""
    folder = Path(text)
    if (folder / ABOUT).is_file() and not read_about(folder)["settings"]["storing"]["frames"]:
        raise SourceError(
            f"{folder}: its images are cut out around faces, so a registration cannot be estimated from them: use the recordings "
            "that it was made of, or a data set that was made with --frames"
        )
    listed = read_pairs(folder)
    found: dict[tuple[Path, Path], tuple[str, float | None]] = {}
    for pair in listed:
        if isinstance(pair.thermal, Path) and isinstance(pair.rgb, Path):
            found.setdefault((pair.thermal, pair.rgb), (pair.face.subject, pair.stamp))
    if not found:
        raise SourceError(f"{folder}: none of its {len(listed)} lines has a thermal and an RGB image")

    def pairs() -> Iterator[RecordedPair]:
        for (thermal, rgb), (subject, stamp) in found.items():
            read = {THERMAL: _reader(thermal), RGB: _reader(rgb)}
            yield RecordedPair(thermal.relative_to(folder).as_posix(), read, subject, stamp)

    counts = {
        INCOMPLETE: sum(pair.thermal is None or pair.rgb is None for pair in listed),
        STRUCK: sum("struck" in entry for _, entry in read_index(folder)),
    }
    files = [folder / INDEX, *(file for files in found for file in files)]
    left_out = {reason: count for reason, count in counts.items() if count}
    return Recording(folder.absolute().name, text, files, pairs, len(found), {}, left_out)


def _folder(text: str, matching: Matching) -> Recording:
    """Images of both kinds in a folder and its subfolders, distinguished by words in their names."""
    folder = Path(text)
    kinds: dict[str, list[tuple[str, Path]]] = {role: [] for role in WORDS}
    left_out: Counter[str] = Counter()
    for file in _images(folder):
        found = told_apart(file.relative_to(folder).with_suffix("").as_posix())
        if found:
            kinds[found[0]].append((found[1], file))
        else:
            left_out[NEITHER] += 1
    return _of_files(text, folder.absolute().name, kinds, folder, matching, left_out)


def _folders(text: str, thermal: Path, rgb: Path, matching: Matching) -> Recording:
    """Two folders, one for each camera."""
    for folder in (thermal, rgb):
        if not folder.is_dir():
            raise SourceError(f"{text}: no folder {folder}")
    kinds = {
        role: [(file.relative_to(folder).with_suffix("").as_posix(), file) for file in _images(folder)]
        for role, folder in ((THERMAL, thermal), (RGB, rgb))
    }
    return _of_files(text, thermal.absolute().name, kinds, thermal, matching, Counter())


def _of_files(
    text: str,
    name: str,
    kinds: dict[str, list[tuple[str, Path]]],
    folder: Path,
    matching: Matching,
    left_out: Counter[str],
) -> Recording:
    matched = match_files(kinds[THERMAL], kinds[RGB], matching.max_gap, matching.clock_offset or 0.0)
    left_out.update(matched.left_out)
    if not matched.pairs:
        words = " or ".join("/".join(role) for role in WORDS.values())
        others = f", {left_out[NEITHER]} others" if left_out[NEITHER] else ""
        raise SourceError(
            f"{text}: {len(kinds[THERMAL])} thermal and {len(kinds[RGB])} RGB images{others}, none of which belong together "
            f"(looked for pairs {matched.how}); expected names that differ in {words}, or two folders THERMAL:RGB with equal names, "
            "indices or times"
        )

    def pairs() -> Iterator[RecordedPair]:
        for pair in matched.pairs:
            read = {THERMAL: _reader(pair.thermal), RGB: _reader(pair.rgb)}
            place = pair.thermal.relative_to(folder).as_posix()
            yield RecordedPair(place, read, _subject(place, matching.subject), pair.stamp, pair.gap)

    files = [file for pair in matched.pairs for file in (pair.thermal, pair.rgb)]
    return Recording(name, text, files, pairs, len(matched.pairs), {}, dict(left_out), matched.how)


def _reader(file: Path) -> Callable[[], RawImage]:
    return lambda: next(iter(open_source(file)))


def _images(folder: Path) -> list[Path]:
    found = (file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and not is_hidden(file))
    return sorted(found, key=lambda file: natural_key(file.as_posix()))


def _subject(name: str, pattern: str) -> str:
    found = re.search(pattern, name) if pattern else None
    return found[1] if found else ""
