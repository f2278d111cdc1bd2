# SPDX-License-Identifier: Apache-2.0
"""A small z-buffer rasteriser, compiled by numba: enough for soft, low-resolution thermal images, and no GPU needed."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, fastmath=True)
def rasterise(xy, depth, triangles, zbuffer, index, bary, first):  # type: ignore[no-untyped-def]
    """Draw triangles into a z-buffer; the nearest wins. Both windings are drawn.

    Parameters
    ----------
    xy : (V, 2) float32, pixels, origin at the centre of the top-left pixel
    depth : (V,) float32, distance from the camera, > 0
    triangles : (T, 3) int32
    zbuffer : (H, W) float32, updated; start with inf
    index : (H, W) int32, updated: ``first`` + index of the nearest triangle
    bary : (H, W, 2) float32, updated: weights of the triangle's second and third corner
    first : int
        Number of the first triangle, so that several meshes share one buffer.
    """
    height, width = zbuffer.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = xy[a, 0], xy[a, 1]
        bx, by = xy[b, 0], xy[b, 1]
        cx, cy = xy[c, 0], xy[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9 or depth[a] <= 1 or depth[b] <= 1 or depth[c] <= 1:
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx))))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx))))
        y0 = max(0, int(np.ceil(min(ay, by, cy))))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy))))
        inv = 1.0 / area
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) * inv
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) * inv
                if wb < -1e-4 or wc < -1e-4 or wb + wc > 1.0001:  # shared edges leave no cracks
                    continue
                z = depth[a] + wb * (depth[b] - depth[a]) + wc * (depth[c] - depth[a])
                if z < zbuffer[y, x]:
                    zbuffer[y, x] = z
                    index[y, x] = first + t
                    bary[y, x, 0] = wb
                    bary[y, x, 1] = wc


@njit(cache=True, fastmath=True)
def interpolate(rows, cols, index, bary, triangles, attributes):  # type: ignore[no-untyped-def]
    """Vertex attributes (V, K) at the given pixels of an index buffer: (N, K) float32."""
    count = attributes.shape[1]
    out = np.empty((rows.shape[0], count), np.float32)
    for n in range(rows.shape[0]):
        y, x = rows[n], cols[n]
        t = index[y, x]
        wb, wc = bary[y, x, 0], bary[y, x, 1]
        wa = 1 - wb - wc
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        for k in range(count):
            out[n, k] = wa * attributes[a, k] + wb * attributes[b, k] + wc * attributes[c, k]
    return out


def vertex_normals(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """Area-weighted unit normals (V, 3) float32, outward for counter-clockwise triangles."""
    normals = np.zeros_like(vertices)
    _accumulate_normals(vertices, triangles, normals)
    return normals / (np.sqrt((normals * normals).sum(1, keepdims=True)) + 1e-12)


@njit(cache=True, fastmath=True)
def _accumulate_normals(v, triangles, out):  # type: ignore[no-untyped-def]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = v[b, 0] - v[a, 0], v[b, 1] - v[a, 1], v[b, 2] - v[a, 2]
        wx, wy, wz = v[c, 0] - v[a, 0], v[c, 1] - v[a, 1], v[c, 2] - v[a, 2]
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
