# SPDX-License-Identifier: Apache-2.0
"""A small z-buffer rasteriser, compiled by numba: enough for soft, low-resolution images, and no GPU needed."""

from __future__ import annotations

import numpy as np
from numba import njit

# float32 throughout, and no branch for what cannot be told in advance: that makes half of the speed
_EDGE = np.float32(-1e-4)  # shared edges leave no cracks
_ONE = np.float32(1)


@njit(cache=True, fastmath=True, error_model="numpy")
def rasterise(xy, depth, triangles, closed, zbuffer, index):  # type: ignore[no-untyped-def]
    """Draw triangles into a z-buffer; the nearest wins.

    Parameters
    ----------
    xy : (V, 2) float32, pixels, origin at the centre of the top-left pixel
    depth : (V,) float32, distance from the camera, > 0
    triangles : (T, 3) int32
    closed : (T,) bool
        Of a closed surface with its corners counter-clockwise seen from outside: not drawn where it is seen from inside.
    zbuffer : (H, W) float32, updated; start with inf
    index : (H, W) int32, updated: number of the nearest triangle; start with -1
    """
    height, width = zbuffer.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = xy[a, 0], xy[a, 1]
        bx, by = xy[b, 0], xy[b, 1]
        cx, cy = xy[c, 0], xy[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9 or (closed[t] and area > 0):  # y points down: counter-clockwise is negative
            continue
        x0 = max(np.int32(0), np.int32(np.ceil(min(ax, bx, cx))))
        x1 = min(np.int32(width - 1), np.int32(np.floor(max(ax, bx, cx))))
        y0 = max(np.int32(0), np.int32(np.ceil(min(ay, by, cy))))
        y1 = min(np.int32(height - 1), np.int32(np.floor(max(ay, by, cy))))
        za, zb, zc = depth[a], depth[b], depth[c]
        if x0 > x1 or y0 > y1 or min(za, zb, zc) <= 1:
            continue
        inv = _ONE / area
        right_b, down_b = (cy - ay) * inv, (ax - cx) * inv
        right_c, down_c = (ay - by) * inv, (bx - ax) * inv
        zb -= za
        zc -= za
        for y in range(y0, y1 + 1):
            dy = np.float32(y) - ay
            for x in range(x0, x1 + 1):
                dx = np.float32(x) - ax
                wb = dx * right_b + dy * down_b
                wc = dx * right_c + dy * down_c
                if min(wb, wc, _ONE - wb - wc) >= _EDGE:
                    z = za + wb * zb + wc * zc
                    if z < zbuffer[y, x]:
                        zbuffer[y, x] = z
                        index[y, x] = t


@njit(cache=True, fastmath=True)
def covered(index, group, groups):  # type: ignore[no-untyped-def]
    """Pixels that show a triangle, sorted by the triangle's group.

    Parameters
    ----------
    index : (H, W) int32, from `rasterise`
    group : (T,) uint8, of each triangle
    groups : int, how many there are

    Returns
    -------
    pixels : (N, 2) int32, row and column
    starts : (groups + 1,) int64; the pixels of group g are ``pixels[starts[g] : starts[g + 1]]``
    """
    height, width = index.shape
    starts = np.zeros(groups + 1, np.int64)
    for y in range(height):
        for x in range(width):
            if index[y, x] >= 0:
                starts[group[index[y, x]] + 1] += 1
    starts = np.cumsum(starts)
    place = starts.copy()
    pixels = np.empty((starts[groups], 2), np.int32)
    for y in range(height):
        for x in range(width):
            if index[y, x] >= 0:
                g = group[index[y, x]]
                pixels[place[g], 0] = y
                pixels[place[g], 1] = x
                place[g] += 1
    return pixels, starts


@njit(cache=True, fastmath=True)
def interpolate(pixels, index, xy, triangles, attributes):  # type: ignore[no-untyped-def]
    """Vertex attributes (V, K) float32 at the given pixels (N, 2) of an index buffer: (N, K) float32."""
    count = attributes.shape[1]
    out = np.empty((pixels.shape[0], count), np.float32)
    for n in range(pixels.shape[0]):
        y, x = pixels[n, 0], pixels[n, 1]
        t = index[y, x]
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = xy[a, 0], xy[a, 1]
        ux, uy, vx, vy = xy[b, 0] - ax, xy[b, 1] - ay, xy[c, 0] - ax, xy[c, 1] - ay
        dx, dy = np.float32(x) - ax, np.float32(y) - ay
        inv = np.float32(1) / (ux * vy - uy * vx)
        wb = (dx * vy - dy * vx) * inv
        wc = (ux * dy - uy * dx) * inv
        wa = np.float32(1) - wb - wc
        for k in range(count):
            out[n, k] = wa * attributes[a, k] + wb * attributes[b, k] + wc * attributes[c, k]
    return out


@njit(cache=True)
def paint(image, pixels, values):  # type: ignore[no-untyped-def]
    """Set pixels (N, 2) of an image (H, W) or (H, W, K) to values (N,) or (N, K)."""
    for n in range(pixels.shape[0]):
        image[pixels[n, 0], pixels[n, 1]] = values[n]


@njit(cache=True, fastmath=True)
def vertex_normals(vertices, triangles):  # type: ignore[no-untyped-def]
    """Area-weighted unit normals (V, 3) float32, outward for counter-clockwise triangles."""
    v = vertices
    out = np.zeros_like(vertices)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = v[b, 0] - v[a, 0], v[b, 1] - v[a, 1], v[b, 2] - v[a, 2]
        wx, wy, wz = v[c, 0] - v[a, 0], v[c, 1] - v[a, 1], v[c, 2] - v[a, 2]
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for k in range(out.shape[0]):
        length = np.sqrt(out[k, 0] ** 2 + out[k, 1] ** 2 + out[k, 2] ** 2) + np.float32(1e-12)
        for j in range(3):
            out[k, j] /= length
    return out


@njit(cache=True, fastmath=True)
def project(vertices, offset_x, offset_y, scale, distance):  # type: ignore[no-untyped-def]
    """Pinhole projection: image points (V, 2) float32 and depths (V,) float32 of vertices (V, 3), see `Camera`."""
    count = vertices.shape[0]
    xy, depth = np.empty((count, 2), np.float32), np.empty(count, np.float32)
    for k in range(count):
        depth[k] = distance - vertices[k, 2]
        ratio = scale * distance / max(depth[k], np.float32(1))
        xy[k, 0] = offset_x + vertices[k, 0] * ratio
        xy[k, 1] = offset_y - vertices[k, 1] * ratio
    return xy, depth


@njit(cache=True, fastmath=True)
def bounds(xy):  # type: ignore[no-untyped-def]
    """Smallest and largest x and y of points (V, 2): x0, y0, x1, y1."""
    x0, y0, x1, y1 = xy[0, 0], xy[0, 1], xy[0, 0], xy[0, 1]
    for k in range(1, xy.shape[0]):
        x0, y0, x1, y1 = min(x0, xy[k, 0]), min(y0, xy[k, 1]), max(x1, xy[k, 0]), max(y1, xy[k, 1])
    return x0, y0, x1, y1
