# SPDX-License-Identifier: Apache-2.0
"""A person in an image: one mesh, the camera that projects it, and the pixels that show it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.synthesis.mesh import MATERIALS, Mesh
from thermal_fld_ros.synthesis.morphable import Array
from thermal_fld_ros.synthesis.rasteriser import bounds, covered, interpolate, paint, project, rasterise, vertex_normals


@dataclass(frozen=True)
class Viewpoint:
    """A pinhole that looks along -z of the people's frame (cm); image pixels, y down."""

    offset: tuple[float, float]  # pixels
    scale: float  # pixels per cm at the head's origin
    distance: float  # cm

    @classmethod
    def looking_at(cls, points: Array, centre: tuple[float, float], scale: float, distance: float) -> Viewpoint:
        """The camera that sees the middle of the box of ``points`` (N, 3) at the pixel ``centre``."""
        xy, _ = cls((0.0, 0.0), scale, distance).project(points)
        middle = (xy.min(0) + xy.max(0)) / 2
        return cls((centre[0] - float(middle[0]), centre[1] - float(middle[1])), scale, distance)

    def enlarged(self, factor: int) -> Viewpoint:
        """The camera of the image with ``factor`` times as many pixels in each direction."""
        x, y = (factor * o + (factor - 1) / 2 for o in self.offset)
        return Viewpoint((x, y), factor * self.scale, self.distance)

    def project(self, vertices: Array) -> tuple[Array, Array]:
        """Image points (V, 2) float32 pixels and depths (V,) float32 cm."""
        return project(vertices, *map(np.float32, (*self.offset, self.scale, self.distance)))


@dataclass(frozen=True)
class Figure:
    """A person's meshes as one."""

    vertices: Array  # (V, 3) cm, turned
    canonical: Array  # (V, 3) cm, on the neutral, unturned person
    triangles: NDArray[np.int32]  # (T, 3)
    material: NDArray[np.uint8]  # (T,) index into MATERIALS
    closed: NDArray[np.bool_]  # (T,) seen from outside only
    clear: NDArray[np.bool_]  # (T,) transparent in visible light

    @classmethod
    def of(cls, meshes: list[Mesh]) -> Figure:
        """Join meshes; those that share their vertices go on sharing them."""
        first: dict[int, int] = {}
        parts: list[Mesh] = []
        count = 0
        for mesh in meshes:
            if id(mesh.vertices) not in first:
                first[id(mesh.vertices)] = count
                parts.append(mesh)
                count += len(mesh.vertices)
        sizes = [len(m.triangles) for m in meshes]
        canonical = np.concatenate([m.canonical for m in parts])
        triangles = np.concatenate([m.triangles + np.int32(first[id(m.vertices)]) for m in meshes])
        material = np.repeat([np.uint8(MATERIALS.index(m.material)) for m in meshes], sizes)
        closed = np.array([m in ("skin", "teeth", "eye") for m in MATERIALS])[material]
        closed &= canonical[triangles[:, 0], 1] > -9  # the bust's lower rim is open
        clear = np.repeat([m.clear for m in meshes], sizes)
        return cls(np.concatenate([m.vertices for m in parts]), canonical, triangles, material, closed, clear)

    @cached_property
    def normals(self) -> Array:
        """Unit normals (V, 3) float32."""
        return vertex_normals(self.vertices, self.triangles)


class Footprint:
    """The pixels of an image that show a figure.

    Parameters
    ----------
    figure
    xy : (V, 2) float32, where its vertices lie in the image, pixels
    depth : (V,) float32 cm
    shape : height and width of the image
    chosen : (T,) bool, which of its triangles are drawn, default: all
    before
        A footprint of the same ``xy``, of which only what lies in front of it is wanted.

    Attributes
    ----------
    pixels : (N, 2) int32, row and column in `window`, sorted by material
    starts : (M + 1,) int64, those of material m are ``pixels[starts[m] : starts[m + 1]]``
    """

    def __init__(self, figure: Figure, xy: Array, depth: Array, shape: tuple[int, ...],
                 chosen: NDArray[np.bool_] | None = None, before: Footprint | None = None):  # fmt: skip
        chosen = np.ones(len(figure.triangles), np.bool_) if chosen is None else chosen
        whole = bool(chosen.all())
        self._triangles = figure.triangles if whole else figure.triangles[chosen]
        closed, material = (a if whole else a[chosen] for a in (figure.closed, figure.material))
        self.window = _window(xy, shape)
        self._origin = np.array([self.window[1].start, self.window[0].start])
        self._xy = xy - self._origin.astype(np.float32)
        self._index = np.full(
            (self.window[0].stop - self.window[0].start, self.window[1].stop - self.window[1].start), -1, np.int32
        )
        self._zbuffer: Array = before._zbuffer.copy() if before else np.full(self._index.shape, np.inf, np.float32)
        rasterise(self._xy, depth, self._triangles, closed, self._zbuffer, self._index)
        self.pixels, self.starts = covered(self._index, material, len(MATERIALS))

    def materials(self) -> list[tuple[str, slice]]:
        """The materials that are seen, and where each one's pixels are."""
        spans = zip(MATERIALS, self.starts[:-1], self.starts[1:], strict=True)
        return [(name, slice(a, b)) for name, a, b in spans if a < b]

    def interpolate(self, attributes: Array) -> Array:
        """The vertices' attributes (V, K) float32 at the pixels: (N, K) float32."""
        return interpolate(self.pixels, self._index, self._xy, self._triangles, attributes)

    def paint(self, image: NDArray[np.generic], values: NDArray[np.generic]) -> None:
        """Set the pixels of the image (H, W) or (H, W, K) to values (N,) or (N, K)."""
        paint(image[self.window], self.pixels, values)

    def read(self, image: Array) -> Array:
        """The pixels' values (N,) or (N, K) in the image."""
        return image[self.window][self.pixels[:, 0], self.pixels[:, 1]]

    def depth_at(self, x: NDArray[np.int64], y: NDArray[np.int64]) -> Array:
        """Depth (N,) float32 cm of what is nearest at the image's columns and rows; infinite where nothing is drawn."""
        x, y = x - self._origin[0], y - self._origin[1]
        height, width = self._zbuffer.shape
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        depth = np.full(len(x), np.inf, np.float32)
        depth[inside] = self._zbuffer[y[inside], x[inside]]
        return depth


def _window(xy: Array, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of an image (H, W) that hold points (V, 2); empty when none does."""
    x0, y0, x1, y1 = (int(min(max(edge, -1e6), 1e6)) for edge in bounds(xy))
    x0, y0, x1, y1 = x0 - 1, y0 - 1, x1 + 2, y1 + 2
    top, left = min(max(y0, 0), shape[0]), min(max(x0, 0), shape[1])
    return slice(top, max(min(y1, shape[0]), top)), slice(left, max(min(x1, shape[1]), left))
