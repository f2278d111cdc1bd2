# SPDX-License-Identifier: Apache-2.0
"""Draw the pictures of README and docs from rendered people: `python scripts/doc_pictures.py`.

overlay.jpg, rotate.jpg and hri.jpg come from the packaged clip. With --face-model (ICT-FaceKit's FaceXModel) dataset_sheet.jpg, too:
pairs are rendered and labelled by the command `dataset`, whose contact sheet it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from thermal_fld_ros.__main__ import main as command  # noqa: E402
from thermal_fld_ros.perception.camera import Camera  # noqa: E402
from thermal_fld_ros.perception.decoding import UNITS, Decoding, ThermalFrame, decode_array  # noqa: E402
from thermal_fld_ros.perception.face import Face  # noqa: E402
from thermal_fld_ros.perception.overlay import draw  # noqa: E402
from thermal_fld_ros.perception.pictures import Picture, write_image  # noqa: E402
from thermal_fld_ros.perception.pipeline import Pipeline  # noqa: E402
from thermal_fld_ros.perception.portrait import aligned  # noqa: E402

IMAGES = ROOT / "docs/images"
SHOWN = {25: "inferno", 45: "iron"}
"""Frames of the clip in overlay.jpg, and their palettes."""
FIELD_OF_VIEW = 28.0  # of the camera that the clip was rendered with, degrees
PAIRS, PAIR_SEED, PAIR_SIZE = 40, 91000000, 160
SHEET_SIDES = (1280, 760)
"""Width and greatest height of the data set's sheet in the docs."""


def seen(rotation: int = 0, turned: int = 0) -> dict[int, tuple[ThermalFrame, list[Face], Camera]]:
    """The shown frames of the clip with their faces.

    Parameters
    ----------
    rotation : int
        What the pipeline is told, degrees clockwise.
    turned : int
        Counter-clockwise quarter turns of the camera.
    """
    clip = np.load(ROOT / "resource/demo_clip.npz")
    options, pipeline, found = Decoding(UNITS[str(clip["unit"])], rotation), Pipeline(), {}
    for number, pixels in enumerate(clip["frames"][: max(SHOWN) + 1]):
        frame = decode_array(np.ascontiguousarray(np.rot90(pixels, turned)), options)
        camera = Camera.from_field_of_view(frame.image_size, FIELD_OF_VIEW)
        faces = pipeline(frame, number / float(clip["fps"]), camera)
        if number in SHOWN:
            found[number] = (frame, faces, camera)
    return found


def overlay() -> Picture:
    """Two frames with everything that is found in them."""
    return np.hstack([draw(f, faces, 0, palette=SHOWN[k], camera=c) for k, (f, faces, c) in seen().items()])


def rotate() -> Picture:
    """A camera on its side: without and with the right rotation."""
    pictures = []
    for rotation in (0, 90):
        frame, faces, _ = seen(rotation, turned=1)[max(SHOWN)]
        pictures.append(draw(frame, faces, 3, notes=[f"rotate {rotation}: {len(faces)} faces"]))
    return np.hstack(pictures)


def hri() -> Picture:
    """A frame with the heads' axes, beside the aligned picture of the nearest face."""
    frame, faces, camera = seen()[min(SHOWN)]
    picture = draw(frame, faces, 0, camera=camera)
    side = picture.shape[0]
    nearest = max(faces, key=lambda face: float(face.roi[2]))
    portrait = cv2.resize(aligned(frame, nearest), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.hstack([picture, np.repeat(portrait[:, :, None], 3, axis=2)])


def dataset_sheet(face_model: Path) -> NDArray[np.uint8]:
    """The contact sheet that `dataset` writes for rendered pairs."""
    from thermal_fld_ros.synthesis.morphable import load_morphable_model
    from thermal_fld_ros.synthesis.scene import Renderer
    from thermal_fld_ros.synthesis.sensor import centikelvin

    renderer = Renderer(load_morphable_model(face_model))
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("thermal", "rgb"):
            (Path(folder) / "pairs" / kind).mkdir(parents=True)
        for number in range(PAIRS):
            scene = renderer.sample_pair(np.random.default_rng(PAIR_SEED + number), PAIR_SIZE)
            rendering = renderer.render(scene)
            write_image(Path(folder) / f"pairs/thermal/{number:03d}.png", centikelvin(rendering.celsius))
            write_image(Path(folder) / f"pairs/rgb/{number:03d}.png", rendering.rgb[:, :, ::-1])
        out = Path(folder) / "faces"
        status = command(
            ["dataset", f"{folder}/pairs/thermal:{folder}/pairs/rgb", "--out", str(out), "--registration", "same",
             "--unit", "centikelvin", "--subject", "rendered"]
        )  # fmt: skip
        if status:
            raise SystemExit(status)
        sheet = cv2.imread(str(out / "sheet.png"))
    width, most = SHEET_SIDES
    scaled = cv2.resize(sheet, (width, round(sheet.shape[0] * width / sheet.shape[1])), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled[:most], np.uint8)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face-model", type=Path, help="ICT-FaceKit's FaceXModel folder or its cached .npz")
    face_model = parser.parse_args().face_model
    pictures = {"overlay": overlay(), "rotate": rotate(), "hri": hri()}
    if face_model:
        pictures["dataset_sheet"] = dataset_sheet(face_model)
    for name, picture in pictures.items():
        write_image(IMAGES / f"{name}.jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 88))
        print(f"wrote docs/images/{name}.jpg")


if __name__ == "__main__":
    main()
