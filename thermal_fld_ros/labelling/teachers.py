# SPDX-License-Identifier: Apache-2.0
"""Who labels: finds the 68 points of faces in RGB images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class RgbFace(NamedTuple):
    """A face in an RGB image.

    Attributes
    ----------
    points : (68, 2) float64
        iBUG order, pixels of the image.
    confidence : (68,) float64 in [0, 1]
        Probability that a point lies within 5 % of sqrt(w h) of the face's box; 1 from a teacher that does not tell.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]


class RgbTeacher(Protocol):
    """Finds faces in an RGB image.

    Attributes
    ----------
    about : dict
        Name, version and what else a data set says of who labelled it.
    finds : bool
        Whether it finds faces by itself; one that does not is to be given boxes.
    """

    about: dict[str, Any]
    finds: bool

    def __call__(self, image: NDArray[np.uint8], boxes: Sequence[ArrayLike] | None = None) -> list[RgbFace | None]:
        """The faces of an image.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB, faces upright.
        boxes : list of (4,), optional
            x, y, width, height of each face, roughly; None: wherever faces are in the image (ValueError from a teacher that cannot).

        Returns
        -------
        One for each box, None where there is no face; without boxes all that were found.
        """
        ...

    def close(self) -> None:
        """Let go of processes and memory."""
        ...
