# SPDX-License-Identifier: Apache-2.0
"""Videos that OpenCV reads, those of 16 bit as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from thermal_fld_ros.recordings.source import Entry, Reading, Source, SourceError, image_of_array

SUFFIXES = (".avi", ".mkv", ".mov", ".mp4", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv")
REMEDY = "take the frames out of it: ffmpeg -i {name} -pix_fmt gray16be frames/%06d.png, and read that folder"

EXPORTS = {
    ".seq": "FLIR's sequences: export them as TIFF, CSV or MP4 in FLIR's program",
    ".csq": "FLIR's sequences: export them as TIFF, CSV or MP4 in FLIR's program",
    ".fff": "FLIR's format: export it as radiometric JPEG, TIFF or CSV in FLIR's program",
    ".ats": "ResearchIR's format: export it as TIFF or CSV in ResearchIR",
    ".sfmov": "ResearchIR's format: export it as TIFF or CSV in ResearchIR",
    ".ravi": "Optris' format: export it as TIFF or CSV in PI Connect",
    ".mat": 'MATLAB\'s format: save the frames with scipy, numpy.savez("clip.npz", frames=loadmat(...)["name"]), and read that '
    "with --axes HWT",
    ".raw": "bare pixels without a size: numpy.fromfile(...).reshape(-1, height, width), saved as .npy, can be read",
}
"""What files that nobody but their maker reads can be turned into."""


def open_video(path: Path, options: Reading) -> Source:
    """A video; a grey one of more than 8 bit is read with all of them, or refused with what to do."""
    capture = cv2.VideoCapture(str(path))
    opened, count, fps = capture.isOpened(), capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    bits, grey = _depth(capture)
    capture.release()
    if not opened:
        hint = EXPORTS.get(path.suffix.lower())
        raise SourceError(
            f"{path}: neither a known kind of file nor a video that OpenCV can read{f' ({hint})' if hint else ''}"
        )
    deep = grey and bits > 8
    notes = (f"a colour video of {bits} bits, of which 8 are read",) if bits > 8 and not grey else ()

    def entries() -> Iterator[Entry]:
        capture = cv2.VideoCapture(str(path))
        try:
            if deep:
                capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
            index = 0
            while True:
                more, frame = capture.read()
                if not more:
                    break
                if deep and frame.dtype != np.uint16:
                    raise SourceError(
                        f"{path}: a video of {bits} bit, of which this OpenCV ({cv2.__version__}) leaves 8: use a newer one, or "
                        + REMEDY.format(name=path.name)
                    )
                yield image_of_array(frame, f"{path.name}[{index}]", index / fps if fps > 0 else None)
                index += 1
            if not index:
                raise SourceError(f"{path}: OpenCV can read no image in this video")
            if index < count / 2:  # some containers only estimate the number
                yield SourceError(
                    f"{path}: ends after {index} of the {count:.0f} images that its header states: it is cut short or damaged"
                )
        finally:
            capture.release()

    kind = f"video of {bits} bit" if deep else "video"
    return Source(path, kind, int(count) if count > 0 else None, entries, fps if fps > 0 else None, notes=notes)


def _depth(capture: cv2.VideoCapture) -> tuple[int, bool]:
    """Bits a sample of a video, and whether it is grey, by FFmpeg's tag of its pixel format (libavcodec/raw.c).

    Such a tag is the kind ("Y1" is grey, "Y3" YUV, "G3" planes of RGB), a byte, and the bits; reversed for big-endian samples.
    """
    number = int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) if capture.isOpened() else 0
    tag = (number & 0xFFFFFFFF).to_bytes(4, "little")
    for kind, bits in ((tag[:2], tag[3]), (tag[:1:-1], tag[0])):
        if kind in (b"Y1", b"Y3", b"Y4", b"G3", b"G4") and 8 < bits <= 16:
            return bits, kind == b"Y1"
    return 8, False
