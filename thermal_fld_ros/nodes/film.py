# SPDX-License-Identifier: Apache-2.0
"""The node `thermal_fld_film`: a film of what the detector sees, and how fast it was.

It listens to `face_landmarks`, to the detector's `overlay` and to `image`, and leaves an annotated video, a contact sheet and a
summary in a folder. The demo runs it; on a robot it documents a run. It keeps pictures for people; `capture` and `record.launch.py`
keep the messages.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from typing import Any

import cv2
import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.time import Time
from sensor_msgs.msg import Image

from thermal_fld_ros.msg import FaceLandmarksArray
from thermal_fld_ros.nodes.messages import array_from_image
from thermal_fld_ros.nodes.parameters import Parameter, Parameters
from thermal_fld_ros.nodes.process import run_node
from thermal_fld_ros.perception.pictures import Picture, tiled

TABLE = (
    Parameter("output", "demo_output", "Folder for the video, the contact sheet and the summary.", read_only=True),
    Parameter("rate", 30.0, "Frames per second of the video.", 0.1, 1000.0, read_only=True),
    Parameter("rotate", 0, "Clockwise rotation of the pictures in degrees.", 0, 270, step=90, read_only=True),
    Parameter(
        "total", 0, "Number of images to expect, for the progress report; 0: unknown.", 0, 1_000_000_000, read_only=True
    ),
)
TILES, SHEET_COLUMNS, TILE_WIDTH, TILE_GAP = 12, 4, 480, 2
SIGHTINGS = 8
QUARTER_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclass
class RunStatistics:
    """What came: images, and one entry a result."""

    images: int = 0
    faces: list[int] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    processing: list[float] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    model: str = ""

    def add(self, result: FaceLandmarksArray, age: float) -> None:
        """Count a result that arrived `age` seconds after its image was published."""
        self.faces.append(len(result.faces))
        self.latency.append(age)
        self.processing.append(result.processing_time)
        self.stamps.append(Time.from_msg(result.header.stamp).nanoseconds / 1e9)
        self.ids.update(face.id for face in result.faces)
        self.model = f"{result.model_name} {result.model_hash[:12]}"

    def rate(self, newest: int = 0) -> float:
        """Results per second over the whole run, or over the `newest` ones; by the images' stamps."""
        stamps = self.stamps[-newest:]
        return (len(stamps) - 1) / (stamps[-1] - stamps[0]) if len(stamps) > 1 and stamps[-1] > stamps[0] else 0.0

    def summary(self) -> dict[str, Any]:
        """The run in numbers, for JSON."""
        if not self.faces:
            return {"images": self.images, "results": 0}
        return {
            "images": self.images,
            "results": len(self.faces),
            "rate_hz": round(self.rate(), 2),
            "latency_ms": {
                "median": round(float(np.median(self.latency)) * 1e3, 2),
                "p95": round(float(np.percentile(self.latency, 95)) * 1e3, 2),
            },
            "processing_ms": {"median": round(float(np.median(self.processing)) * 1e3, 2)},
            "results_with_a_face": sum(count > 0 for count in self.faces),
            "most_faces": max(self.faces),
            "ids": sorted(self.ids),
            "model": self.model,
        }


class Film:
    """Writes pictures to a video in a thread of its own, and keeps some for a contact sheet.

    Encoding would otherwise hold up the results that arrive meanwhile and show as latency.

    Parameters
    ----------
    folder : Path
        Of the video and the contact sheet.
    rate : float
        Frames per second of the video.
    most_waiting : int
        Pictures that may wait for encoding; those that come when so many wait are dropped.

    Attributes
    ----------
    frames, dropped : int
        Pictures in the video so far, and pictures that are not.
    """

    def __init__(self, folder: Path, rate: float, most_waiting: int = 128) -> None:
        self.video = folder / "landmarks.mp4"
        self.sheet = folder / "contact_sheet.jpg"
        self.frames = self.dropped = 0
        self._rate = rate
        self._tiles: list[Picture] = []
        self._stride = 1
        self._queue: Queue[Picture | None] = Queue(most_waiting)
        self._thread = Thread(target=self._write, name="film")
        self._thread.start()

    def add(self, picture: Picture) -> None:
        """Append a (H, W, 3) uint8 picture in BGR, or count it as dropped."""
        try:
            self._queue.put_nowait(picture)
        except Full:
            self.dropped += 1

    def close(self) -> None:
        """Finish both files."""
        self._queue.put(None)
        self._thread.join()
        if self._tiles:
            cv2.imwrite(str(self.sheet), film_sheet(self._tiles))

    def _write(self) -> None:
        writer: cv2.VideoWriter | None = None
        while (picture := self._queue.get()) is not None:
            if writer is None:
                size = (picture.shape[1], picture.shape[0])
                writer = cv2.VideoWriter(str(self.video), cv2.VideoWriter.fourcc(*"mp4v"), self._rate, size)
                if not writer.isOpened():
                    print(f"OpenCV cannot write the video {self.video}", file=sys.stderr, flush=True)
            writer.write(picture)
            self._keep(picture)
            self.frames += 1
        if writer is not None:
            writer.release()

    def _keep(self, picture: Picture) -> None:
        """Keep every stride-th picture; when there are twice as many as needed, every other one goes."""
        if self.frames % self._stride:
            return
        height = round(picture.shape[0] * TILE_WIDTH / picture.shape[1])
        tile = cv2.resize(picture, (TILE_WIDTH, height), interpolation=cv2.INTER_AREA)
        white = (255, 255, 255)
        framed = cv2.copyMakeBorder(tile, *(TILE_GAP,) * 4, cv2.BORDER_CONSTANT, value=white)
        self._tiles.append(np.asarray(framed, np.uint8))
        if len(self._tiles) == 2 * TILES:
            self._tiles = self._tiles[::2]
            self._stride *= 2


def film_sheet(pictures: list[Picture]) -> Picture:
    """Lay at most `TILES` pictures of one size, evenly picked, into one."""
    count = min(TILES, len(pictures))
    tiles = [pictures[i] for i in np.linspace(0, len(pictures) - 1, count).round().astype(int)]
    return tiled(tiles, SHEET_COLUMNS)


class FilmNode(Node):
    """Feeds results to `RunStatistics` and overlays to a `Film`."""

    def __init__(self) -> None:
        super().__init__("thermal_fld_film")
        values = Parameters(self, TABLE, lambda values, changed: None).values
        self.folder = Path(str(values["output"]))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._turn = QUARTER_TURNS.get(int(values["rotate"]))
        self._total = int(values["total"])
        self.statistics = RunStatistics()
        self.film = Film(self.folder, float(values["rate"]))
        self._results = self.create_subscription(
            FaceLandmarksArray, "face_landmarks", self._on_result, QoSProfile(depth=50)
        )
        self.create_subscription(Image, "overlay", self._on_overlay, QoSProfile(depth=20))
        self._sightings = 0
        self._look_out = self.create_timer(0.05, self._listen_to_images)
        self._told = time.monotonic()

    def _listen_to_images(self) -> None:
        """Subscribe to the images once the detector is there: a replay that waits for this one loses no result at its start.

        The graph knows the detector a moment before the detector knows this subscriber, so look more than once.
        """
        self._sightings += self.count_publishers(self._results.topic_name) > 0
        if self._sightings > SIGHTINGS:
            self.create_subscription(Image, "image", self._on_image, qos_profile_sensor_data)
            self.destroy_timer(self._look_out)

    def _on_image(self, image: Image) -> None:
        self.statistics.images += 1

    def _on_result(self, result: FaceLandmarksArray) -> None:
        age = (self.get_clock().now() - Time.from_msg(result.header.stamp)).nanoseconds / 1e9
        self.statistics.add(result, age)
        if time.monotonic() - self._told >= 1.0:
            self._told = time.monotonic()
            self._tell_progress()

    def _on_overlay(self, image: Image) -> None:
        picture = array_from_image(image)
        self.film.add(np.asarray(picture if self._turn is None else cv2.rotate(picture, self._turn), np.uint8))

    def _tell_progress(self) -> None:
        seen = self.statistics
        of_total = f"/{self._total}" if self._total else ""
        print(
            f"  {len(seen.faces):5d}{of_total} frames   {seen.rate(newest=60):5.1f} Hz   "
            f"latency {np.median(seen.latency[-60:]) * 1e3:5.1f} ms   faces {seen.faces[-1]}",
            end="\r" if sys.stdout.isatty() else "\n",
            flush=True,
        )

    def close(self, failure: str = "") -> None:
        """Finish the files and print a summary."""
        self.film.close()
        summary = {**self.statistics.summary(), "film": {"frames": self.film.frames, "dropped": self.film.dropped}}
        (self.folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        if not self.statistics.faces:
            print("\nno results arrived from the detector", flush=True)
            return
        latency = summary["latency_ms"]
        print(
            f"\n  results        {summary['results']} of {summary['images']} images, {summary['rate_hz']:.1f} Hz"
            f"\n  with a face    {summary['results_with_a_face']} (at most {summary['most_faces']} at a time, "
            f"{len(summary['ids'])} identities)"
            f"\n  latency        {latency['median']:.1f} ms median, {latency['p95']:.1f} ms p95, image published to result "
            f"received\n    processing    {summary['processing_ms']['median']:.1f} ms median"
            f"\n  video          {self.film.video} ({self.film.frames} frames, {self.film.dropped} dropped because encoding was too slow)"
            f"\n  contact sheet  {self.film.sheet}"
            f"\n  summary        {self.folder / 'summary.json'}",
            flush=True,
        )


def main(args: list[str] | None = None) -> None:
    """Record until interrupted."""
    run_node("thermal_fld_film", FilmNode, args)


if __name__ == "__main__":
    main()
