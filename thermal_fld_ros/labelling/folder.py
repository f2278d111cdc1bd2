# SPDX-License-Identifier: Apache-2.0
"""The folder of a data set: its index, splits, strikes and checksum; docs/adaptation.md describes its layout.

``pairs.jsonl`` is made of the recordings' journals (`build.py`). Strikes and the splits of people or episodes outlive that.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thermal_fld_ros.datasets.pairs import ABOUT, FORMAT, INDEX, SPLITS, read_about, read_index
from thermal_fld_ros.datasets.sample import DataSetError
from thermal_fld_ros.files import replace_text
from thermal_fld_ros.labelling.build import read_journals
from thermal_fld_ros.labelling.labeller import EVIDENCE
from thermal_fld_ros.labelling.recordings import sha256_of

LEAST_GROUPS = 3
"""People or episodes, below which they cannot be told apart by splits."""

IndexEntry = dict[str, Any]


def prepare(out: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder, or see that what it holds was made with the same settings.

    Raises
    ------
    DataSetError
        It was not, or the folder holds something else.
    """
    settings = json.loads(json.dumps(settings))  # as they are read again
    if (out / ABOUT).is_file():
        held = read_about(out).get("settings", {})
        others = [key for key in {**held, **settings} if held.get(key) != settings.get(key)]
        if others:
            told = "; ".join(f"{key}: {held.get(key)}, now {settings.get(key)}" for key in others)
            raise DataSetError(f"{out}: the folder was made with other settings: choose another folder ({told})")
        return
    if out.is_dir() and any(out.iterdir()):
        raise DataSetError(f"{out}: the folder holds files, but no {ABOUT}: choose an empty or a new folder")
    out.mkdir(parents=True, exist_ok=True)
    _write_about(out, {"format": FORMAT, "state": "building", "settings": settings})


def finish(out: Path, shares: Sequence[float], named: Mapping[str, str]) -> dict[str, Any]:
    """Write the index and dataset.json of all recordings in the folder; returns the content of dataset.json.

    Parameters
    ----------
    out : Path
    shares : (3,)
        Of training, validation and test.
    named : dict
        Person or episode -> split, as the user wants it.

    Raises
    ------
    DataSetError
        No face was kept, or a named person or episode is not there.
    """
    about = read_about(out)
    journals = read_journals(out)
    unfinished = [lines[0]["episode"] for lines in journals if "end" not in lines[-1]]
    if unfinished:
        raise DataSetError(f"{out}: {', '.join(unfinished)} was not read to the end: name it again")
    entries = [face["entry"] for lines in journals for line in lines for face in line.get("faces", [])]
    decided, splits = split_entries(entries, shares, named, about.get("splits", {}))
    strikes = _strikes(out)
    counted = Counter[str]()
    for entry, split in zip(entries, splits, strict=True):
        entry["split"] = split
        counted[entry["thermal"]] += 1
        struck = strikes.get((entry["thermal"], counted[entry["thermal"]]))
        if struck:
            entry["struck"] = struck
    sources = [_source(lines) for lines in journals]
    about |= {"state": "complete", "sources": sources, "splits": decided, "counts": _counts(sources, entries)}
    about["sha256"] = {"images": _images_digest(out, entries)}
    _write_about(out, about)  # the splits are there whenever an index is
    _write_lines(out, about, [_line(entry) for entry in entries])
    return about


def _counts(sources: Sequence[Mapping[str, Any]], entries: Sequence[IndexEntry]) -> dict[str, Any]:
    left_out = Counter[str]()
    for source in sources:
        left_out.update(source["left_out"])
    return {
        "pairs": sum(source["pairs"] for source in sources),
        "faces": len(entries),
        "faces_by_evidence": {kind: sum(entry["evidence"] == kind for entry in entries) for kind in EVIDENCE},
        "left_out": dict(left_out.most_common()),
        "struck": Counter(entry["struck"] for entry in entries if "struck" in entry),
        "faces_by_split": {
            split: sum(entry["split"] == split and "struck" not in entry for entry in entries) for split in SPLITS
        },
    }


def read_entries(out: Path) -> list[IndexEntry]:
    """The lines of the index, struck ones too; raises DataSetError."""
    return [entry for _, entry in read_index(out)]


def read_entry(out: Path, number: int) -> IndexEntry:
    """One line of the index, from 0, without a look at the others; raises IndexError."""
    entry: IndexEntry = json.loads(_read_lines(out)[number])
    return entry


def strike(out: Path, strikes: Mapping[int, str | None]) -> None:
    """Strike lines of the index (from 0) with a reason, or take a strike back (None), and renew counts and checksum.

    Other lines are not looked at, so that it is quick in a large data set. Raises IndexError.
    """
    lines, about = _read_lines(out), read_about(out)
    struck, kept = Counter(about["counts"]["struck"]), Counter(about["counts"]["faces_by_split"])
    for number, reason in strikes.items():
        entry = json.loads(lines[number])
        before = entry.pop("struck", None)
        if reason:
            entry["struck"] = reason
        for one, sign in ((before, -1), (reason, 1)):
            if one:
                struck[one] += sign
                kept[entry["split"]] -= sign
        lines[number] = _line(entry)
    about["counts"] |= {"struck": dict(+struck), "faces_by_split": dict(kept)}
    _write_lines(out, about, lines)


def _line(entry: IndexEntry) -> str:
    return json.dumps(entry, separators=(",", ":")) + "\n"


def _read_lines(out: Path) -> list[str]:
    return (out / INDEX).read_text(encoding="utf-8").splitlines(keepends=True)


def _write_lines(out: Path, about: dict[str, Any], lines: Sequence[str]) -> None:
    """Write the index and its checksum."""
    text = "".join(lines)
    replace_text(out / INDEX, text)
    about["sha256"] = {**about.get("sha256", {}), "index": hashlib.sha256(text.encode()).hexdigest()}
    _write_about(out, about)


def check(out: Path) -> list[str]:
    """What of the index and the images is not as the checksum says, in words."""
    held = read_about(out).get("sha256", {})
    found = []
    if not (out / INDEX).is_file() or sha256_of(out / INDEX) != held.get("index"):
        found.append(f"{INDEX} does not match its checksum")
    else:
        entries = read_entries(out)
        missing = [entry[role] for entry in entries for role in ("thermal", "rgb") if not (out / entry[role]).is_file()]
        if missing:
            found.append(f"{len(missing)} images are missing, the first is {missing[0]}")
        elif _images_digest(out, entries) != held.get("images"):
            found.append("the images do not match their checksum")
    return found


def _images_digest(out: Path, entries: Sequence[IndexEntry]) -> str:
    """SHA-256 of the names and contents of all images that the index names."""
    whole = hashlib.sha256()
    for name in sorted({entry[role] for entry in entries for role in ("thermal", "rgb")}):
        whole.update(f"{name} {sha256_of(out / name)}\n".encode())
    return whole.hexdigest()


def _write_about(out: Path, about: Mapping[str, Any]) -> None:
    replace_text(out / ABOUT, json.dumps(about, indent=1) + "\n")


def _source(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """A recording and the counts of what was kept and left out."""
    pairs = [line for line in lines if "pair" in line]
    left_out = Counter(lines[0]["left_out"])
    left_out.update(reason for line in pairs for reason in line["left_out"])
    faces = [face for line in pairs for face in line["faces"]]
    counts = {"pairs": len(pairs), "faces": len(faces), "thermal_unit": faces[0]["unit"] if faces else None}
    return {**lines[0], **counts, "left_out": dict(left_out.most_common())}


def _strikes(out: Path) -> dict[tuple[str, int], str]:
    """What is struck in the index that is there: by image and number of the face in it."""
    if not (out / INDEX).is_file():
        return {}
    counted, found = Counter[str](), {}
    for entry in read_entries(out):
        counted[entry["thermal"]] += 1
        if "struck" in entry:
            found[entry["thermal"], counted[entry["thermal"]]] = entry["struck"]
    return found


def split_entries(
    entries: Sequence[IndexEntry], shares: Sequence[float], named: Mapping[str, str], held: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """By what the splits were decided, people, episodes or time, and the split of each face."""
    if not entries:
        raise DataSetError("no face was kept")
    kinds = {kind: Counter(entry.get(kind, "") for entry in entries) for kind in ("subject", "episode")}
    for kind, groups in kinds.items():
        unknown = set(named) - set(groups)
        if "" in groups or unknown or (len(groups) < LEAST_GROUPS and not named):
            continue
        kept = {**(held.get("groups", {}) if held.get("by") == kind else {}), **named}
        assigned = _assign(groups, shares, kept)
        return {"by": kind, "groups": assigned}, [assigned[entry[kind]] for entry in entries]
    if named:
        known = ", ".join(sorted({*kinds["subject"], *kinds["episode"]} - {""}))
        raise DataSetError(f"{', '.join(named)} must be people or episodes of the data set, which has: {known}")
    return {"by": "time"}, _blocks(entries, shares)


def _assign(groups: Mapping[str, int], shares: Sequence[float], kept: Mapping[str, str]) -> dict[str, str]:
    """A split for each group, those kept where they were; the largest first, each where most is missing, and no split without one."""
    assigned = {name: split for name, split in kept.items() if name in groups}
    wanted = {split: share for split, share in zip(SPLITS, shares, strict=True) if share > 0}
    total = sum(groups.values()) / sum(wanted.values())
    open_ones = sorted(set(groups) - set(assigned), key=lambda name: (-groups[name], name))
    for left, name in zip(range(len(open_ones), 0, -1), open_ones, strict=True):
        missing = {
            split: share * total - sum(groups[other] for other, there in assigned.items() if there == split)
            for split, share in wanted.items()
        }
        empty = {split: amount for split, amount in missing.items() if split not in assigned.values()}
        choice = empty if len(empty) > 0 and left <= len(empty) else missing
        assigned[name] = max(choice, key=lambda split: choice[split])
    return dict(sorted(assigned.items()))


def _blocks(entries: Sequence[IndexEntry], shares: Sequence[float]) -> list[str]:
    """In each episode the first part of the time for training, the next for validation, the last for the test."""
    borders = [sum(shares[: k + 1]) / sum(shares) for k in range(len(shares))]
    moments: dict[str, dict[str, int]] = {}  # of each episode its pairs that have faces, in their order
    for entry in entries:
        mine = moments.setdefault(entry["episode"], {})
        mine.setdefault(_moment(entry), len(mine))

    def split(entry: IndexEntry) -> str:
        mine = moments[entry["episode"]]
        place = (mine[_moment(entry)] + 0.5) / len(mine)
        return SPLITS[next(k for k, border in enumerate(borders) if place < border)]

    return list(map(split, entries))


def _moment(entry: IndexEntry) -> str:
    """Number of the pair in its recording."""
    return Path(entry["thermal"]).stem.partition("_")[0]
