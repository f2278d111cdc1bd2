# SPDX-License-Identifier: Apache-2.0
"""Results as tables of text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PROTOCOLS = {"given_box": "given box", "pipeline": "pipeline"}


def markdown_table(head: list[str], rows: Iterable[list[object]]) -> str:
    """A table in Markdown with columns of even width."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in [head, *cells]) for k in range(len(head))]
    lines = [head, ["-" * width for width in widths], *cells]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines)


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent, "-" for None."""
    return "-" if value is None else f"{100 * value:.{digits}f}"


def figure(value: float | None, digits: int = 2) -> str:
    """A number, "-" for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def landmark_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a data set, model, protocol and set of points."""
    head = [
        "data",
        "model",
        "protocol",
        "points",
        "faces",
        "people",
        "missed",
        "NME %",
        "95 %",
        "shifted %",
        "median",
        "worst",
    ]
    head += ["NME eyes %", "AUC 8", "FR 8 %", "FR 10 %"]
    rows: list[list[object]] = []
    for row in results["rows"]:
        for key, protocol in PROTOCOLS.items():
            for name, values in row.get(key, {}).get("points", {}).items():
                if values["faces"]:
                    counts = [values["faces"], row[key].get("people", "-"), values["missed"]]
                    errors = [
                        figure(values["nme"]),
                        _between(values.get("interval")),
                        figure(values.get("nme_shifted")),
                    ]
                    errors += [figure(values[part]) for part in ("median", "worst")]
                    others = [figure(values.get("nme_interocular")), figure(values["auc_8"], 3)]
                    others += [percent(values[part]) for part in ("failure_8", "failure_10")]
                    rows.append([row["data"], row["model"], protocol, name, *counts, *errors, *others])
    return head, rows


def _between(bounds: list[float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.2f} to {bounds[1]:.2f}"


def detection_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a data set and model."""
    head = [
        "data",
        "model",
        "images",
        "faces",
        "recall %",
        "located %",
        "precision %",
        "false faces",
        "elsewhere",
        "in traps",
    ]
    head += ["IoU p5 / median", "AP %"]
    rows: list[list[object]] = []
    for row in results["rows"]:
        values = row.get("detection")
        if values:
            iou = values.get("iou")
            shares = [percent(values.get(key)) for key in ("recall", "located", "precision")]
            counts = [values.get(key, "-") for key in ("false_faces", "elsewhere", "in_traps")]
            overlap = f"{iou['p5']:.2f} / {iou['median']:.2f}" if iou else "-"
            ap = percent(row.get("detector", {}).get("all", {}).get("ap"))
            rows.append([row["data"], row["model"], values["images"], values["faces"], *shares, *counts, overlap, ap])
    return head, rows


def size_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a data set, model and size of faces."""
    head = ["data", "model", "face size px", "faces", "recall %", "AP %"]
    rows: list[list[object]] = []
    for row in results["rows"]:
        for name, values in row.get("detection", {}).get("by_size", {}).items():
            ap = row.get("detector", {}).get(name, {}).get("ap")
            rows.append([row["data"], row["model"], name, values["faces"], percent(values["recall"]), percent(ap)])
    return head, rows


def region_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a data set, model and protocol: error by region of the face."""
    regions = ["jaw", "brows", "nose", "eyes", "mouth", "inner mouth"]
    head = ["data", "model", "protocol", "jaw line", *regions]
    rows: list[list[object]] = []
    for row in results["rows"]:
        for key, protocol in PROTOCOLS.items():
            values = row.get(key, {}).get("regions")
            if values:
                line = figure(row[key].get("jaw_line"))
                rows.append([row["data"], row["model"], protocol, line, *(figure(values.get(r)) for r in regions)])
    return head, rows


def opening_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a data set, model, protocol and opening: how it follows the labels over all faces."""
    head = ["data", "model", "protocol", "opening", "faces", "slope", "bias %", "correlation", "closed", "they read %"]
    rows: list[list[object]] = []
    for row in results["rows"]:
        for key, protocol in PROTOCOLS.items():
            for name, values in row.get(key, {}).get("openings", {}).items():
                if "slope" in values:
                    cells = [figure(values[part]) for part in ("slope", "bias", "correlation")]
                    shut = [values["closed"], figure(values["closed_reads"])]
                    rows.append([row["data"], row["model"], protocol, name, values["faces"], *cells, *shut])
    return head, rows


def score_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a data set and model: whether published faces are right, and their score says so."""
    head = ["data", "model", "published", "wrong", "wrong %", "mean score %", "right %", "ECE %"]
    rows: list[list[object]] = []
    for row in results["rows"]:
        values = row.get("published")
        if values and values["faces"]:
            score = values["score"]
            cells = [percent(values["wrong_share"])] + [percent(score[part]) for part in ("stated", "observed", "ece")]
            rows.append([row["data"], row["model"], values["faces"], values["wrong"], *cells])
    return head, rows


def group_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a group of faces: bin of yaw, with and without glasses or mask."""
    head = ["data", "model", "protocol", "group", "faces", "missed", "NME %", "FR 10 %"]
    rows: list[list[object]] = []
    for row in results["rows"]:
        for key, protocol in PROTOCOLS.items():
            for kind in ("yaw", "glasses", "mask"):
                for name, values in row.get(key, {}).get(kind, {}).items():
                    label = f"yaw {name}" if kind == "yaw" else f"{name} {kind}"
                    rows.append(
                        [row["data"], row["model"], protocol, label, values["faces"], values["missed"],
                         figure(values["nme"]), percent(values["failure_10"])]
                    )  # fmt: skip
    return head, rows


def video_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a data set and model: jitter and lag."""
    head = ["data", "model", "still pairs", "of", "jitter %", "p95", "unsmoothed %", "lag frames"]
    rows: list[list[object]] = []
    for row in results["rows"]:
        values = row.get("video")
        if values:
            smooth, raw = values["jitter"]["smoothed"] or {}, values["jitter"]["raw"] or {}
            lags = ", ".join(f"{name} {shift:.2f}" for name, shift in values["lag_frames"].items())
            rows.append(
                [row["data"], row["model"], values["still_pairs"], values["pairs"], figure(smooth.get("mean")), figure(smooth.get("p95")),
                 figure(raw.get("mean")), lags or "-"]
            )  # fmt: skip
    return head, rows


def mouth_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a sequence: how the mouth's opening follows the labels."""
    head = [
        "data",
        "sequence",
        "model",
        "frames",
        "correlation",
        "range labelled",
        "range found",
        "rise labelled",
        "rise found",
    ]
    rows: list[list[object]] = []
    for row in results["rows"]:
        for sequence, values in row.get("mouth", {}).items():
            keys = ("labelled_range", "predicted_range", "labelled_rise", "predicted_rise")
            cells = [figure(values.get(key), 3) for key in keys]
            rows.append(
                [row["data"], sequence, row["model"], values["frames"], figure(values.get("correlation")), *cells]
            )
    return head, rows


def calibration_rows(results: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    """One row a data set, model and kind of points."""
    head = ["data", "model", "points", "count", "stated %", "observed %", "ECE %"]
    rows: list[list[object]] = []
    for row in results["rows"]:
        for kind, values in row.get("calibration", {}).items():
            if values["points"]:
                cells = [percent(values["stated"]), percent(values["observed"]), percent(values["ece"])]
                rows.append([row["data"], row["model"], kind, values["points"], *cells])
    return head, rows


TABLES = {
    "Landmarks": landmark_rows,
    "Error by region, %": region_rows,
    "Openings of mouth and eyes": opening_rows,
    "Groups of faces": group_rows,
    "Faces": detection_rows,
    "Published faces and their score": score_rows,
    "Faces by size": size_rows,
    "Sequences": video_rows,
    "Opening of the mouth in sequences": mouth_rows,
    "Confidence of points": calibration_rows,
}


def plots_of(results: dict[str, Any]) -> list[tuple[str, str]]:
    """The plots that there is something to draw for: (kind, data set), kind one of "errors", "confidence", "score", "yaw"."""
    wanted = []
    for data in results["data"]:
        rows = [row for row in results["rows"] if row["data"] == data]
        parts = [row[key] for row in rows for key in PROTOCOLS if key in row]
        if parts:
            wanted.append(("errors", data))
        if any("calibration" in row for row in rows):
            wanted.append(("confidence", data))
        if any(row.get("published", {}).get("faces") for row in rows):
            wanted.append(("score", data))
        if any("yaw" in part for part in parts):
            wanted.append(("yaw", data))
    return wanted


def plot_name(kind: str, data: str) -> str:
    """The file of a plot."""
    return f"accuracy_{kind}_{''.join(c if c.isalnum() else '_' for c in data.lower())}.png"


def text(results: dict[str, Any]) -> str:
    """All tables that have rows."""
    parts = []
    for title, rows_of in TABLES.items():
        head, rows = rows_of(results)
        if rows:
            parts.append(f"{title}\n\n{markdown_table(head, rows)}\n")
    return "\n".join(parts)
