# SPDX-License-Identifier: Apache-2.0
"""The forms of data sets by name: docs/datasets.md describes each.

>>> data = open_dataset("sf-tl54:SF-TL54/gray/test")
>>> data.samples[0].faces[0].points
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from thermal_fld_ros.datasets.charlotte import read_charlotte
from thermal_fld_ros.datasets.plain import read_plain
from thermal_fld_ros.datasets.pts import read_pts
from thermal_fld_ros.datasets.renders import read_renders
from thermal_fld_ros.datasets.rwth import read_rwth
from thermal_fld_ros.datasets.sample import DataSet, DataSetError
from thermal_fld_ros.datasets.sf_tl54 import read_sf_tl54
from thermal_fld_ros.datasets.t_fake import read_t_fake
from thermal_fld_ros.datasets.tfw import read_tfw

FORMS: dict[str, Callable[[Path], DataSet]] = {
    "plain": read_plain,
    "renders": read_renders,
    "sf-tl54": read_sf_tl54,
    "tfw": read_tfw,
    "charlotte": read_charlotte,
    "t-fake": read_t_fake,
    "rwth": read_rwth,
    "pts": read_pts,
}


def open_dataset(text: str) -> DataSet:
    """Open what a user wrote: "FORM:PATH", or "NAME=FORM:PATH" to give it a name.

    Raises
    ------
    DataSetError
        The form is unknown, or the files are not what it expects.
    """
    name, equals, rest = text.partition("=")
    if not equals or ":" in name:
        name, rest = "", text
    form, colon, path = rest.partition(":")
    if not colon or form not in FORMS:
        raise DataSetError(f'"{text}": expected FORM:PATH or NAME=FORM:PATH with FORM one of {", ".join(FORMS)}')
    data = FORMS[form](Path(path))
    if not data.samples:
        raise DataSetError(f"{path}: there are no labelled images ({data.left_out or 'nothing was left out'})")
    names = [sample.name for sample in data.samples]
    if len(set(names)) < len(names):
        twice = next(other for other in names if names.count(other) > 1)
        raise DataSetError(f'{path}: two images are named "{twice}"')
    return replace(data, name=name) if name else data
