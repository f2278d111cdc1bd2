# SPDX-License-Identifier: Apache-2.0
"""What lies behind people, and what is warm without being a face: rooms, streets, lamps, machines, animals; degC."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from thermal_fld_ros.synthesis.morphable import Array

Point = tuple[int, int]


def background(width: int, height: int, ambient: float, clutter: int, rng: np.random.Generator) -> Array:
    """Temperatures (H, W) float32 degC of a room, a street or a heap of things with ``clutter`` things in it.

    Rooms, the commonest, are smooth and of few things. Temperatures lie about ``ambient``: skies far below, lamps,
    machines and sun-lit walls above, hands and animals where skin is.
    """
    image = np.full((height, width), ambient, np.float32)
    image += _smooth(width, height, rng.exponential(0.5), rng)
    kind = rng.choice(["room", "street", "heap"], p=[0.6, 0.22, 0.18])
    if kind == "room":
        _walls(image, rng)
        count = int(rng.integers(0, clutter // 2 + 1))
    elif kind == "street":
        _street(image, ambient, clutter, rng)
        count = clutter // 3
    else:
        count = clutter
    for _ in range(count):
        x, y = int(rng.uniform(-0.1, 1.1) * width), int(rng.uniform(-0.1, 1.1) * height)
        size = float(np.exp(rng.uniform(np.log(0.03), np.log(0.7))) * width)
        if kind == "room":
            size = max(size, 0.08 * width)
        draw = THINGS[rng.choice(len(THINGS), p=LIKELY[str(kind)])]
        draw(image, (x, y), size, _temperature(ambient, rng), rng)
    return image


def _temperature(ambient: float, rng: np.random.Generator) -> float:
    """Of a thing: mostly near the room's, some warm, few hot, and some as warm as skin."""
    near, warm, hot, skin = rng.normal(0, 2), rng.normal(3, 5), rng.uniform(5, 30), rng.normal(33, 1.5) - ambient
    return float(ambient + rng.choice([near, warm, hot, skin], p=[0.5, 0.25, 0.09, 0.16]))


def _smooth(width: int, height: int, amplitude: float, rng: np.random.Generator) -> Array:
    grid = rng.normal(0, amplitude, (rng.integers(2, 6), rng.integers(2, 6))).astype(np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _fractal(width: int, height: int, rng: np.random.Generator, octaves: int = 6) -> Array:
    """Noise (H, W) float32 of about unit variance with structure at every scale."""
    image = np.zeros((height, width), np.float32)
    for k in range(1, octaves + 1):
        grid = rng.standard_normal((2**k + 1, 2**k + 1)).astype(np.float32)
        image += 0.75**k * cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    return image / image.std()


def _rectangle(image: Array, centre: Point, half: tuple[float, float], t: float) -> None:
    low = (int(centre[0] - half[0]), int(centre[1] - half[1]))
    high = (int(centre[0] + half[0]), int(centre[1] + half[1]))
    cv2.rectangle(image, low, high, t, -1)


def _oval(image: Array, centre: Point, axes: tuple[float, float], t: float, angle: float = 0.0) -> None:
    cv2.ellipse(image, centre, (max(int(axes[0]), 1), max(int(axes[1]), 1)), angle, 0, 360, t, -1)


def _bar(image: Array, a: tuple[float, float], b: tuple[float, float], thick: float, t: float) -> None:
    cv2.line(image, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), t, max(int(thick), 1))


def _walls(image: Array, rng: np.random.Generator) -> None:
    """Walls, ceiling and floor meet; each has its own temperature."""
    height, width = image.shape
    for _ in range(rng.integers(0, 4)):
        side = rng.integers(3)
        step = rng.normal(0, 0.7) if rng.random() < 0.85 else rng.normal(0, 5)
        slope = rng.normal(0, 0.15)
        if side == 0:  # a corner of the room, or a curtain's edge
            at = rng.uniform(0, width)
            polygon = [(at, -1), (at + slope * height, height), (width, height), (width, -1)]
        else:
            at = rng.uniform(-0.1, 0.3) * height if side == 1 else rng.uniform(0.7, 1.1) * height
            end = -1 if side == 1 else height
            polygon = [(-1, at), (width, at + slope * width), (width, end), (-1, end)]
        cover = np.zeros(image.shape, np.uint8)
        cv2.fillPoly(cover, [np.array(polygon, np.int32)], 1)
        image[cover > 0] += step


def _street(image: Array, ambient: float, clutter: int, rng: np.random.Generator) -> None:
    """Cold sky over houses with windows, trees, cars and a ground of its own texture."""
    height, width = image.shape
    horizon = int(rng.uniform(0.15, 0.75) * height)
    sky = ambient - rng.uniform(3, 35)
    ramp = np.linspace(sky - rng.uniform(0, 8), sky + rng.uniform(0, 8), max(horizon, 1), dtype=np.float32)
    image[:horizon] = ramp[:, None] + rng.exponential(0.7) * _fractal(width, max(horizon, 1), rng, 4)
    ground = ambient + rng.normal(3, 5)
    texture = rng.standard_normal((height // 3 + 1, width // 3 + 1)).astype(np.float32)
    fine = np.asarray(cv2.resize(texture, (width, height), interpolation=cv2.INTER_LINEAR))
    image[horizon:] = (
        ground + (rng.exponential(0.4) * fine + _smooth(width, height, rng.exponential(1.0), rng))[horizon:]
    )
    grain = rng.exponential(1.2) * _fractal(width, height, rng, 8)
    for _ in range(rng.integers(0, 3)):  # woods and hills on the horizon, near and far
        heights = np.abs(rng.normal(0, 0.12 * height, rng.integers(4, 40)))
        edge = horizon - np.interp(np.arange(width), np.linspace(0, width, len(heights)), heights)
        wood = (np.arange(height)[:, None] >= edge) & (np.arange(height)[:, None] < horizon)
        image[wood] = ambient + rng.normal(-1, 3) + grain[wood]
    for _ in range(rng.integers(0, 3)):  # kerbs and road marks run towards the horizon
        vanish = (rng.uniform(0, width), horizon)
        _bar(
            image,
            vanish,
            (rng.uniform(-1, 2) * width, height),
            rng.uniform(1, max(2.0, 0.03 * width)),
            ground + rng.normal(0, 3),
        )
    for _ in range(max(clutter // 2, 1)):
        x = int(rng.uniform(0, width))
        size = rng.uniform(0.05, 0.35) * width
        kind = rng.integers(4)
        if kind == 0:
            _house(image, (x, horizon), size, ambient + rng.normal(2, 4), rng)
        elif kind == 1:
            _tree(image, (x, horizon), size, ambient + rng.normal(0, 2), rng)
        elif kind == 2:
            _car(image, (x, int(horizon + rng.uniform(0, 0.3) * height)), 0.7 * size, ambient + rng.normal(2, 4), rng)
        elif rng.random() < 0.5:
            _people_far_away(image, (x, horizon), 0.1 * size, rng)
        else:  # poles and wires
            _bar(
                image, (x, horizon - 2 * size), (x, horizon + 0.3 * size), rng.uniform(1, 5), ambient + rng.normal(0, 3)
            )


def _house(image: Array, foot: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A front with rows of windows."""
    half = (size * rng.uniform(0.5, 1.5), size * rng.uniform(0.3, 1.0))
    centre = (foot[0], int(foot[1] - half[1]))
    _rectangle(image, centre, half, t)
    rows, columns = rng.integers(1, 5), rng.integers(1, 8)
    pane = t + float(rng.choice([rng.normal(-4, 2), rng.normal(4, 3)]))
    for i in range(rows):
        for j in range(columns):
            at = (
                int(centre[0] + half[0] * (2 * (j + 0.5) / columns - 1)),
                int(centre[1] + half[1] * (2 * (i + 0.5) / rows - 1)),
            )
            _rectangle(image, at, (0.5 * half[0] / columns, 0.5 * half[1] / rows), pane + float(rng.normal(0, 0.7)))


def _tree(image: Array, foot: Point, size: float, t: float, rng: np.random.Generator) -> None:
    _bar(image, foot, (foot[0], foot[1] - size), 0.08 * size + 1, t + float(rng.normal(0, 1)))
    wide, spread = rng.uniform(0.15, 0.4), rng.exponential(1.5)
    for _ in range(40):
        at = (int(foot[0] + rng.normal(0, wide * size)), int(foot[1] - size + rng.normal(0, 0.25 * size)))
        _oval(
            image,
            at,
            (rng.uniform(0.02, 0.15) * size, rng.uniform(0.02, 0.15) * size),
            t + float(rng.normal(0, spread)),
        )


def _people_far_away(image: Array, foot: Point, size: float, rng: np.random.Generator) -> None:
    """A group too far away to have faces: warm heads on bodies."""
    skin = float(image.mean() + rng.uniform(1, 10))
    for _ in range(rng.integers(1, 6)):
        x, y = int(foot[0] + rng.normal(0, 3 * size)), foot[1] + int(rng.uniform(-1, 1) * size)
        _rectangle(image, (x, y), (0.4 * size, 0.9 * size), skin - float(rng.uniform(0, 6)))
        _oval(image, (x, int(y - 1.2 * size)), (0.22 * size, 0.28 * size), skin)


def _car(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A body, panes that mirror the sky, wheels, a warm bonnet or exhaust, lamps."""
    x, y = centre
    _rectangle(image, centre, (size, 0.28 * size), t)
    _rectangle(image, (x, int(y - 0.45 * size)), (0.7 * size, 0.22 * size), t)
    _rectangle(image, (x, int(y - 0.43 * size)), (0.6 * size, 0.15 * size), t - float(rng.uniform(0, 12)))
    warm = t + float(rng.choice([rng.normal(0, 1), rng.uniform(3, 25)]))
    for side in (-1, 1):
        _oval(image, (int(x + 0.62 * side * size), int(y + 0.3 * size)), (0.18 * size, 0.18 * size), warm)
        _oval(image, (int(x + 0.8 * side * size), y), (0.07 * size, 0.06 * size), t + float(rng.normal(2, 5)))
    if rng.random() < 0.5:
        _rectangle(
            image, (int(x + rng.choice([-0.6, 0, 0.6]) * size), int(y - 0.1 * size)), (0.3 * size, 0.15 * size), warm
        )


def _disc(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A lamp, a cup from above, a plate."""
    axes = (size / 2 * rng.uniform(0.5, 1), size / 2)
    _oval(image, centre, axes, t, rng.uniform(0, 180))
    if rng.random() < 0.4:
        _oval(image, centre, (axes[0] / 3, axes[1] / 3), t + float(rng.normal(0, 4)))


def _window(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A window with bars, a screen, a door, a box."""
    corners = cv2.boxPoints(
        ((float(centre[0]), float(centre[1])), (size, size * rng.uniform(0.3, 2)), float(rng.normal(0, 4)))
    )
    cv2.fillPoly(image, [corners.astype(np.int32)], t)
    frame = t + float(rng.normal(0, 3))
    if rng.random() < 0.5:
        cv2.polylines(image, [corners.astype(np.int32)], True, frame, max(int(size * rng.uniform(0.01, 0.06)), 1))
    if rng.random() < 0.4:
        a, b, c, d = corners
        _bar(image, (a + b) / 2, (c + d) / 2, 0.03 * size, frame)
        _bar(image, (b + c) / 2, (d + a) / 2, 0.03 * size, frame)


def _tubes(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """Lamp tubes, cables, pipes."""
    a = rng.uniform(0, 2 * np.pi)
    for k in range(rng.integers(1, 4)):
        start = (centre[0] + 0.15 * k * size, centre[1] + 0.1 * k * size)
        end = (start[0] + size * 1.5 * np.cos(a), start[1] + size * 1.5 * np.sin(a))
        _bar(image, start, end, rng.uniform(1, max(2.0, image.shape[1] / 25)), t)


def _radiator(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """Ribs side by side, or a blind's slats one above the other."""
    ribs = int(rng.integers(4, 16))
    other = t + float(rng.normal(0, 3))
    upright = rng.random() < 0.7
    for k in range(ribs):
        offset = int(size * (k / ribs - 0.5))
        at = (centre[0] + offset, centre[1]) if upright else (centre[0], centre[1] + offset)
        half = (0.3 * size / ribs, 0.35 * size) if upright else (0.5 * size, 0.3 * size / ribs)
        _rectangle(image, at, half, t if k % 2 else other)


def _wall(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A sun-lit wall or floor to the border."""
    height, width = image.shape
    angle = rng.normal(0, 0.3) + rng.choice([0, np.pi / 2])
    yy, xx = np.mgrid[:height, :width]
    side = (xx - centre[0]) * np.cos(angle) + (yy - centre[1]) * np.sin(angle) > 0
    image[side] += t - image.mean()


def _machine(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A box with one to four discs or slots of other temperatures, which may have a face's layout."""
    half = (size / 2, size / 2 * rng.uniform(0.7, 1.8))
    _rectangle(image, centre, half, t)
    for _ in range(rng.integers(1, 5)):
        at = (int(centre[0] + rng.uniform(-1, 1) * half[0]), int(centre[1] + rng.uniform(-1, 1) * half[1]))
        axes = (size * rng.uniform(0.03, 0.25), size * rng.uniform(0.03, 0.25))
        _oval(image, at, (axes[0], axes[0]) if rng.random() < 0.6 else axes, t + float(rng.normal(0, 8)))


def _reference(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A reference body: a disc or square as warm as skin, or warmer, in a plate with a border of its own."""
    half = (size / 2, size / 2 * rng.uniform(1.0, 2.2))
    low = (int(centre[0] - half[0]), int(centre[1] - half[1]))
    plate = image[max(low[1], 0) : max(int(centre[1] + half[1]), 0), max(low[0], 0) : max(int(centre[0] + half[0]), 0)]
    warmth = rng.uniform(0.3, 6)
    if plate.size:
        plate += warmth + _smooth(plate.shape[1], plate.shape[0], 0.4, rng)
    hot = float(np.clip(rng.normal(36, 4), 28, 60))
    at = (centre[0] + int(rng.normal(0, 0.1) * size), int(centre[1] + rng.uniform(-0.7, 0.7) * half[1]))
    radius = size * rng.uniform(0.08, 0.35)
    ring = float(image.min()) if rng.random() < 0.5 else hot - float(rng.uniform(3, 12))
    if rng.random() < 0.6:
        _oval(image, at, (1.25 * radius, 1.25 * radius), ring)
    if rng.random() < 0.75:
        _oval(image, at, (radius, radius), hot)
    else:
        _rectangle(image, at, (radius, radius), hot)


def _foliage(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """Foliage, rubble: fractal texture up to an irregular edge."""
    height, width = image.shape
    texture = _fractal(width, height, rng)
    region = _fractal(width, height, rng, octaves=3) > rng.normal(0.6, 0.7)
    image[region] += (t - image.mean()) + rng.exponential(1.5) * texture[region]


def _blobs(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """Leaves, fruit, crumpled things: a patch of blobs."""
    for _ in range(12):
        at = (int(centre[0] + rng.normal(0, size / 3)), int(centre[1] + rng.normal(0, size / 3)))
        axes = (rng.uniform(0.02, 0.15) * size, rng.uniform(0.02, 0.15) * size)
        _oval(image, at, axes, t + float(rng.normal(0, 1)), rng.uniform(0, 180))


def _animal(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A dog or a cat: furry body, head with ears, warm eyes, cold nose."""
    x, y = centre
    fur = float(image.mean() + rng.uniform(0.3, 0.9) * (34 - image.mean()))
    r = 0.25 * size
    _oval(
        image,
        (int(x + rng.normal(0, 2) * r), int(y + 2.0 * r)),
        (rng.uniform(1.2, 2.5) * r, 1.3 * r),
        fur - float(rng.uniform(0, 4)),
    )
    _oval(image, centre, (r, r * rng.uniform(0.8, 1.1)), fur)
    drop = rng.choice([-1.0, 0.4])  # pricked or hanging
    for side in (-1, 1):
        ear = np.array(
            [
                (x + side * 0.35 * r, y - 0.8 * r),
                (x + side * 0.95 * r, y - 0.4 * r),
                (x + side * 0.95 * r, y + 1.4 * drop * r),
            ]
        )
        cv2.fillPoly(image, [ear.astype(np.int32)], fur + float(rng.normal(1, 2)))
        _oval(
            image, (int(x + side * 0.38 * r), int(y - 0.15 * r)), (0.16 * r, 0.12 * r), fur + float(rng.uniform(1, 6))
        )
    _oval(image, (x, int(y + 0.45 * r)), (0.45 * r, 0.35 * r), fur + float(rng.normal(0, 2)))
    _oval(image, (x, int(y + 0.35 * r)), (0.16 * r, 0.12 * r), fur - float(rng.uniform(3, 10)))


def _arm(image: Array, centre: Point, size: float, t: float, rng: np.random.Generator) -> None:
    """A bare arm with a hand: warm, of a face's temperature, and no face."""
    skin = float(max(rng.normal(32, 1.5), image.mean() + 1))
    a = rng.uniform(0, 2 * np.pi)
    along, across = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
    wrist = np.array(centre) + 0.5 * size * along
    _bar(image, tuple(np.array(centre) - size * along), tuple(wrist), 0.22 * size, skin)
    _oval(image, (int(wrist[0]), int(wrist[1])), (0.17 * size, 0.15 * size), skin, np.rad2deg(a))
    for k in range(4):
        root = wrist + (k - 1.5) * 0.075 * size * across
        tip = root + 0.35 * size * (along + 0.1 * (k - 1.5) * across)
        _bar(image, tuple(root), tuple(tip), 0.06 * size, skin - float(rng.uniform(0, 3)))


Thing = Callable[[Array, Point, float, float, np.random.Generator], None]
THINGS: tuple[Thing, ...] = (
    _disc,
    _window,
    _tubes,
    _radiator,
    _wall,
    _machine,
    _reference,
    _foliage,
    _blobs,
    _animal,
    _arm,
)
LIKELY = {"room": [0.1, 0.26, 0.13, 0.09, 0.08, 0.08, 0.1, 0.02, 0.03, 0.06, 0.05],
          "street": [0.1, 0.15, 0.1, 0.05, 0.15, 0.05, 0.05, 0.2, 0.05, 0.05, 0.05],
          "heap": [0.13, 0.13, 0.12, 0.06, 0.1, 0.12, 0.08, 0.12, 0.06, 0.04, 0.04]}  # fmt: skip
