# SPDX-License-Identifier: Apache-2.0
"""Dataclasses from files that people write: what is unknown, missing or of another type is named, and nothing is guessed."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from thermal_fld_ros.files import read_bytes

_Kind = TypeVar("_Kind")

SCALARS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    float: (
        "a number (in YAML 1e-3 is a text, 1.0e-3 a number)",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ),
    str: ("a text", lambda value: isinstance(value, str)),
}
"""How a type of a field is called, and what belongs to it."""


def at_least(least: float, **options: Any) -> Any:
    """A field of a dataclass for `read_dataclass` that is a finite number of at least so much; ``options`` are those of ``field``."""
    return dataclasses.field(metadata={"least": least}, **options)


def read_mapping(file: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; raises ValueError where it holds none, OSError where it cannot be read."""
    try:
        content = yaml.safe_load(read_bytes(file))
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{file}: expected a mapping of names")
    return content


def read_dataclass(kind: type[_Kind], content: Any, where: str) -> _Kind:
    """An instance of a dataclass from a mapping, as YAML and JSON have it.

    Fields may be of the types of SCALARS, `tuple`, `dict` with names as keys, other dataclasses, of `X | None`, and of `X | dict`.

    Parameters
    ----------
    kind : type
        The dataclass.
    content : mapping
    where : str
        The place of the content, for messages.

    Raises
    ------
    ValueError
        A key is unknown or missing, or a value is not what it must be; the message names key, value and what was expected.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"{where} is {content!r}, expected a mapping")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    missing = {name for name, field in fields.items() if _is_required(field)} - set(content)
    if unknown := set(content) - set(fields):
        raise ValueError(
            f"{where}: unknown {', '.join(sorted(map(str, unknown)))}; expected {', '.join(sorted(fields))}"
        )
    if missing:
        raise ValueError(f"{where} lacks {', '.join(sorted(missing))}")
    types_of = typing.get_type_hints(kind)
    values = {}
    for name, value in content.items():
        least = fields[name].metadata.get("least")
        values[name] = _read(types_of[name], value, f"{where}: {name}", least)
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def plain(value: Any) -> Any:
    """What `read_dataclass` reads back: mappings, lists, numbers and texts; of a dataclass without fields that are None or empty."""
    if dataclasses.is_dataclass(value):
        named = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(each) for name, each in named.items() if each is not None and each != ()}
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _read(kind: Any, value: Any, where: str, least: float | None) -> Any:
    """The value of a field of type ``kind``."""
    parts = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        mappings = [part for part in parts if typing.get_origin(part) is dict]
        wanted = mappings if isinstance(value, Mapping) and mappings else parts
        return None if value is None and types.NoneType in parts else _read(wanted[0], value, where, least)
    if dataclasses.is_dataclass(kind):
        return read_dataclass(kind, value, where)  # type: ignore[arg-type]
    if typing.get_origin(kind) is dict and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {name: _read(parts[1], each, f"{where}: {name}", least) for name, each in value.items()}
    if typing.get_origin(kind) is tuple and isinstance(value, list | tuple):
        kinds = parts[:1] * len(value) if parts[-1] is ... else parts
        if len(kinds) == len(value):
            return tuple(_read(*each, where, least) for each in zip(kinds, value, strict=True))
    if kind is Any:
        return value
    finite = not isinstance(value, float) or math.isfinite(value)
    if kind in SCALARS and SCALARS[kind][1](value) and finite and (least is None or value >= least):
        return value
    raise ValueError(
        f"{where} is {value!r}, expected {_called(kind)}{'' if least is None else f' of at least {least}'}"
    )


def _called(kind: Any) -> str:
    if kind in SCALARS:
        return SCALARS[kind][0]
    if typing.get_origin(kind) is dict:
        return "a mapping of names"
    parts = typing.get_args(kind)
    return f"a list of {'any length' if parts[-1] is ... else len(parts)}"
