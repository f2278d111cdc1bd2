# SPDX-License-Identifier: Apache-2.0
"""Registrations from corresponding points, and how far they can be trusted.

Maps of the plane are fitted by OpenCV (USAC, Raguram et al., TPAMI 2013), extrinsics by `extrinsics.py`. Each is judged by points that it
was not fitted to: views are left out in blocks, since neighbours of a recording resemble each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from thermal_fld_ros.perception.camera import Camera
from thermal_fld_ros.perception.geometry import Size, extent
from thermal_fld_ros.registration.extrinsics import pose_of, relative_pose
from thermal_fld_ros.registration.registration import CameraPair, Homography, Registration
from thermal_fld_ros.registration.views import View

PLANE_MODELS = ("similarity", "affine", "homography")
"""From few to many degrees of freedom: 4, 6, 8."""

FOLDS = 5
LEAST_POINTS = 8
LEAST_COVERAGE = {"similarity": 0.0, "affine": 0.01, "homography": 0.05}
"""Share of the thermal image that the points must span."""

LEAST_SPREAD = {"similarity": 0.0, "affine": 1.5, "homography": 3.0}
"""Area that all faces span, in areas of one face. Where all are in one place, what finders of landmarks mean by a mouth's corner would go
into the map."""

GOOD_COVERAGE = 0.15
FEW_VIEWS = 8
ALIKE = 1.5
"""Ratio of the largest to the smallest size of the faces up to which they are about equally far."""

UNCERTAIN = 0.5
"""Standard deviation of the map, in tolerances, from which on it is remarked."""

Fit = Callable[[Sequence[View]], Registration]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A registration and how well it fits.

    Attributes
    ----------
    model : str
        Of `PLANE_MODELS`, or "cameras".
    registration : Registration
    views : list of View
    errors : (N, 2) float64
        Where the thermal points of all views come to lie minus where they are, RGB pixels; NaN where they cannot be seen.
    held_out : (N,) float64 or None
        Lengths of such errors, each under a fit to other views; None where nothing was fitted.
    warnings : list of str
    """

    model: str
    registration: Registration
    views: list[View]
    errors: NDArray[np.float64]
    held_out: NDArray[np.float64] | None
    warnings: list[str] = field(default_factory=list)

    @property
    def tolerances(self) -> NDArray[np.float64]:
        """Of each point."""
        return np.repeat([view.tolerance for view in self.views], [len(view.rgb) for view in self.views])

    @property
    def inliers(self) -> NDArray[np.bool_]:
        """Points within their tolerance."""
        inliers: NDArray[np.bool_] = np.linalg.norm(self.errors, axis=1) <= self.tolerances
        return inliers

    @property
    def loss(self) -> float:
        """Mean error of points that the fit did not know, in tolerances, none more than 2."""
        assert self.held_out is not None
        return float(np.minimum(np.nan_to_num(self.held_out / self.tolerances, nan=2.0), 2.0).mean())

    def figures(self) -> dict[str, Any]:
        """Numbers of the report; lengths in RGB pixels."""
        return {
            "views": len(self.views),
            "points": len(self.errors),
            "inliers": int(self.inliers.sum()),
            "residual": _distribution(np.linalg.norm(self.errors, axis=1)),
            **({} if self.held_out is None else {"held_out": _distribution(self.held_out)}),
            "offset": np.nanmedian(self.errors, axis=0).round(3).tolist(),
        }


def _distribution(distances: NDArray[np.float64]) -> dict[str, float]:
    seen = distances[np.isfinite(distances)]
    if not len(seen):
        return {}
    return {"median": round(float(np.median(seen)), 3), "p95": round(float(np.percentile(seen, 95)), 3)}


def estimate_plane(views: Sequence[View], size: Size, model: str = "auto") -> tuple[Estimate, dict[str, Estimate]]:
    """Fit a map of the plane.

    Parameters
    ----------
    views
    size
        Width and height of the thermal image.
    model
        Of `PLANE_MODELS`, or "auto": the simplest of those whose held-out errors are the least within 2 %.

    Returns
    -------
    The estimate, and by name all that were compared.

    Raises
    ------
    ValueError
        Too few points, or they are too close together for the model.
    """
    points = np.concatenate([view.thermal for view in views]) if views else np.empty((0, 2))
    if len(points) < LEAST_POINTS:
        raise ValueError(
            f"found {len(points)} corresponding points in {len(views)} views, but at least {LEAST_POINTS} are required"
        )
    covered, spread = coverage(points, size), spread_of(views)
    possible = [n for n in PLANE_MODELS if covered >= LEAST_COVERAGE[n] and spread >= LEAST_SPREAD[n]]
    if model != "auto" and model not in possible:
        raise ValueError(
            f"{model} needs points that span {LEAST_COVERAGE[model]:.0%} of the thermal image and faces that span {LEAST_SPREAD[model]} "
            f"times one of them, but these span {covered:.1%} and {spread:.1f}: let the person move about, or use {' or '.join(possible)}"
        )
    compared = {name: estimate_of(name, views, _plane_fit(name)) for name in (possible if model == "auto" else [model])}
    least = min(estimate.loss for estimate in compared.values())
    best = next(estimate for estimate in compared.values() if estimate.loss <= 1.02 * least)
    best.warnings.extend(_plane_warnings(best, covered))
    return best, compared


def _plane_fit(name: str) -> Fit:
    def fit(views: Sequence[View]) -> Registration:
        thermal = np.concatenate([view.thermal for view in views])
        rgb = np.concatenate([view.rgb for view in views])
        threshold = float(np.median([view.tolerance for view in views]))
        cv2.setRNGSeed(0)  # the same points give the same map
        if name == "homography":
            matrix, _ = cv2.findHomography(thermal, rgb, cv2.USAC_MAGSAC, threshold, maxIters=5000, confidence=0.9999)
        else:
            find = cv2.estimateAffine2D if name == "affine" else cv2.estimateAffinePartial2D
            matrix, _ = find(thermal, rgb, None, cv2.RANSAC, threshold, 5000, 0.9999, 20)
            matrix = None if matrix is None else np.vstack([matrix, (0.0, 0.0, 1.0)])
        if matrix is None:
            raise ValueError(f"no {name} fits the {len(thermal)} points. Do the thermal and RGB points correspond?")
        return Homography(np.asarray(matrix, dtype=np.float64))

    return fit


def _plane_warnings(estimate: Estimate, covered: float) -> list[str]:
    warnings = []
    if (
        estimate.model != "homography"
        and not estimate.views[0].exact
        and spread_of(estimate.views) < LEAST_SPREAD["homography"]
    ):
        warnings.append("all faces are at about the same place: let the person move about for a better map")
    if covered < GOOD_COVERAGE:
        warnings.append(f"the points span {covered:.1%} of the thermal image: elsewhere the map is a guess")
    ratio = size_ratio(estimate.views)
    if ratio > ALIKE and not estimate.views[0].exact:
        warnings.append(
            f"the largest face is {ratio:.1f} times the smallest: their distances differ, and such a map holds for one distance only; "
            "calibrated cameras hold for all"
        )
    return warnings + _common_warnings(estimate)


def _common_warnings(estimate: Estimate) -> list[str]:
    warnings = []
    if len(estimate.views) < FEW_VIEWS and len(estimate.errors) < FEW_VIEWS * 25:
        warnings.append(f"only {len(estimate.views)} views were used, so the map depends on the peculiarities of each")
    share = float(estimate.inliers.mean())
    if share < 0.7:
        warnings.append(f"only {share:.0%} of the points are where the registration puts them")
    return warnings


def estimate_cameras(views: Sequence[View], thermal: Camera, rgb: Camera) -> Estimate:
    """Fit rotation and translation between calibrated cameras; the views must have models.

    Raises
    ------
    ValueError
        Too few views, or the fit fails.
    """
    fits: list[CameraPair] = []

    def fit(chosen: Sequence[View]) -> Registration:
        fits.append(_camera_pair(chosen, thermal, rgb))
        return fits[-1]

    if not views or any(view.model is None for view in views):
        raise ValueError(
            "extrinsics require views of faces, of a board whose squares are known, or of points with a model"
        )
    estimate = estimate_of("cameras", views, fit)
    estimate.warnings.extend(_common_warnings(estimate))
    whole, parts = fits[0], fits[1:]
    for factor in (0.5, 2.0):
        distance = factor * whole.distance
        deviation = _deviation(parts, distance)
        # a face is as many times larger as it is nearer
        if deviation > UNCERTAIN * float(np.median(estimate.tolerances)) / factor:
            estimate.warnings.append(
                f"at {distance:.2f} m the map is uncertain by {deviation:.0f} px (one standard deviation): "
                "the views are too alike in distance and place"
            )
    return estimate


def _deviation(parts: Sequence[CameraPair], distance: float) -> float:
    """Standard deviation in RGB pixels of where the middle of the thermal image comes to lie at a distance.

    The jackknife (Efron and Stein 1981) over fits without a block of views each: errors that are alike within a view, such as
    the shape of a head, count as what they are.
    """
    if len(parts) < 2:
        return np.inf
    middle = (np.array(parts[0].thermal.size) - 1.0) / 2.0
    places = np.array([part.to_rgb(middle, distance) for part in parts])
    deviation = float(np.sqrt((len(parts) - 1) * np.square(places - places.mean(axis=0)).mean(axis=0).sum()))
    return deviation if np.isfinite(deviation) else np.inf  # one of them cannot see it


def _camera_pair(views: Sequence[View], thermal: Camera, rgb: Camera) -> CameraPair:
    rays = []
    for view in views:
        one, other = thermal.rays(view.thermal), rgb.rays(view.rgb)
        good = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
        assert view.model is not None
        rays.append((view.model[good], one[good], other[good]))
    found = relative_pose(rays)
    return CameraPair(thermal, rgb, found.rotation, found.translation, float(np.median(found.depths)))


def estimate_of(model: str, views: Sequence[View], fit: Fit | Registration) -> Estimate:
    """Fit to all views, and to all but a block of them at a time; a registration from elsewhere is only measured."""
    registration = fit if isinstance(fit, Registration) else fit(views)
    errors = np.concatenate([errors_of(registration, view) for view in views])
    if isinstance(fit, Registration):
        return Estimate(model, registration, list(views), errors, None)
    held_out = np.full(len(errors), np.nan)
    first = np.cumsum([0, *(len(view.rgb) for view in views)])
    if len(views) > 1:
        for block in np.array_split(np.arange(len(views)), min(FOLDS, len(views))):
            others = [view for index, view in enumerate(views) if index not in block]
            other = _fitted(fit, others)
            for index in block:
                if other is not None:
                    held_out[first[index] : first[index + 1]] = np.linalg.norm(errors_of(other, views[index]), axis=1)
    else:  # one view, such as a board: every fifth point
        for fold in range(FOLDS):
            left = np.arange(len(errors)) % FOLDS == fold
            other = _fitted(fit, [views[0][~left]])
            if other is not None:
                held_out[left] = np.linalg.norm(errors_of(other, views[0])[left], axis=1)
    return Estimate(model, registration, list(views), errors, held_out)


def _fitted(fit: Fit, views: Sequence[View]) -> Registration | None:
    """None where the rest is too little; the points that were left out count as wrong."""
    try:
        return fit(views)
    except ValueError:
        return None


def errors_of(registration: Registration, view: View) -> NDArray[np.float64]:
    """Mapped thermal minus RGB points, (N, 2), at the view's own distance where that can be known."""
    distance = view_distance(registration, view)
    return registration.to_rgb(view.thermal, distance) - view.rgb


def view_distance(registration: Registration, view: View) -> float | None:
    """How far what is seen is from the thermal camera, by the thermal image and its model alone."""
    if not isinstance(registration, CameraPair) or view.model is None:
        return None
    rays = registration.thermal.rays(view.thermal)
    good = np.isfinite(rays).all(axis=1)
    if good.sum() < 4:
        return None
    pose = pose_of(view.model[good], rays[good])
    return float((view.model @ pose[0].T + pose[1])[:, 2].mean()) if pose else None


def coverage(points: NDArray[np.float64], size: Size) -> float:
    """Share of the image in the convex hull of the points."""
    return _hull(points) / (size[0] * size[1])


def spread_of(views: Sequence[View]) -> float:
    """Area of the convex hull of all faces in areas of a typical one; without bound for exact points."""
    if all(view.exact for view in views):
        return np.inf
    areas = [_hull(view.thermal) for view in views if len(view.thermal) > 2]
    single = float(np.median(areas)) if areas else 0.0
    return _hull(np.concatenate([view.thermal for view in views])) / single if single > 0.0 else 0.0


def _hull(points: NDArray[np.float64]) -> float:
    return float(cv2.contourArea(cv2.convexHull(points.astype(np.float32))))


def size_ratio(views: Sequence[View]) -> float:
    """How much larger the largest view is than the smallest in the thermal image, without the extreme twentieths."""
    low, high = np.percentile([extent(view.thermal) for view in views], (5, 95))
    return float(high / low) if low > 0.0 else np.inf
