# SPDX-License-Identifier: Apache-2.0
"""Write benchmarks/README.md from the committed results: `python benchmarks/report.py`."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

FRAMES = {
    "tracked": "the crop follows the landmarks",
    "pose": "the same with the head's pose",
    "periodic": "tracked, with a detection",
    "first": "nobody known yet, a detection and two landmark passes",
}
"""Cases of `pipeline.py`."""


def load(name: str) -> Any:
    """One results file, by its path in the repository."""
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def on_machine(result: dict[str, Any]) -> str:
    """What a result was measured on, in a line."""
    machine = result["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, onnxruntime {machine['onnxruntime']}, "
        f"OpenCV {machine['opencv']}; load average at the start {machine['load_average']:g}"
    )


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def pipeline() -> str:
    """Time of a frame."""
    result = load("benchmarks/results/pipeline.json")
    rows: list[list[object]] = [
        [name, f"{case['total_ms']['median']:.2f}", f"{case['total_ms']['p95']:.2f}", case["target_ms"] or ""]
        for name, case in result["cases"].items()
    ]
    width, height = result["size"]
    described = "; ".join(f"*{name}*: {FRAMES[name]}" for name in result["cases"])
    return f"""## A frame, from bytes to points: `python benchmarks/pipeline.py`

{width} x {height} pixels of 16 bit, one face, one thread, ms.
{described}.
{on_machine(result)}.

{table(["case", "median", "p95", "target"], rows)}

Medians by stage, ms:

{stages(result["cases"])}
{profile(result)}"""


def stages(cases: dict[str, Any]) -> str:
    """Medians by stage and in all, a column a case; empty where a case does not have the stage."""
    fullest_first = sorted(cases.values(), key=lambda case: -len(case["stages_ms"]))
    names = dict.fromkeys(stage for case in fullest_first for stage in case["stages_ms"])
    rows: list[list[object]] = [
        [stage, *(f"{it['stages_ms'][stage]['median']:.2f}" if stage in it["stages_ms"] else "" for it in cases.values())]
        for stage in sorted(names, key="rest".__eq__)
    ]  # fmt: skip
    rows.append(["in all", *(f"{case['total_ms']['median']:.2f}" for case in cases.values())])
    return table(["stage", *cases], rows)


def profile(result: dict[str, Any]) -> str:
    """The stages of a tracked frame beside those of the earlier version; nothing where that was not measured."""
    if "before" not in result:
        return ""
    commit, then, now = result["before"]["commit"], result["before"]["cases"]["tracked"], result["cases"]
    columns = {commit: then, "now": now["tracked"], "now, with pose": now["pose"]}
    return f"""
### Before and after: `python benchmarks/pipeline.py --before {commit}`

A tracked frame as commit {commit} and as this version take it, in turns on the same machine and input. Each commit is measured by its own
script; where a stage is empty, the commit does not have it or does not tell it apart. Medians in ms.

{stages(columns)}
"""


def rates() -> str:
    """Frames per second; nothing where they were not measured."""
    if not (ROOT / "benchmarks/results/rates.json").is_file():
        return ""
    result = load("benchmarks/results/rates.json")
    alone: list[list[object]] = [
        [f"{name} pixels" if group == "resolution" else f"{name} in view", f"{point['fps']:.0f}", f"{point['faces']:.2f}"]
        for group in ("resolution", "faces") for name, point in result[group].items()
    ]  # fmt: skip
    cameras: list[list[object]] = [
        [count, *(f"{point[key]:.0f}" for key in ("fps", "fps_each", "fps_slowest"))]
        for count, point in result["cameras"].items()
    ]
    return f"""## Frames per second: `python benchmarks/rates.py`

How many images of 16 bit a second go from bytes to faces, one after the other, with the regular detections and without head poses, on
one thread. The points ran in turns of {result["seconds"]:g} s, {result["rounds"]} rounds; figures are medians over the rounds.
*faces* are those found on average. The resolutions have one face in view; the several faces are of one size, in 640 x 512 pixels.
{on_machine(result)}.

![Frames per second against resolution, faces and cameras](results/rates.png)

{table(["one camera", "frames per second", "faces"], alone)}

Each camera is a process of one thread, with one face in 640 x 512 pixels; all run at the same time.

{table(["cameras", "frames per second, together", "each, median", "slowest"], cameras)}
"""


def others() -> str:
    """Beside other face finders."""
    result = load("benchmarks/results/others.json")
    columns = ("median", "mean", "processor", "conversion", "faces", "median_ratio", "mean_ratio", "processor_ratio")
    head = ["case", "pace", "contestant", *(column.replace("_", " ") for column in columns)]
    rows: list[list[object]] = [
        [case, f"{rate} Hz" if rate != "0" else "tight", name, *(f"{values[key]:.2f}" for key in columns)]
        for case, rates in result["cases"].items() for rate, names in rates.items() for name, values in names.items()
    ]  # fmt: skip
    targets = "; ".join(f"{case} at most {most:g}" for case, most in result["targets"].items())
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    skipped = "; ".join(f"{name}: {why}" for name, why in result["skipped"].items())
    return f"""## Beside other face finders: `python benchmarks/others.py`

Each row is one case at one pace: how many faces are in view, the size of the 16-bit images, and at which rate they come. All run in one
process on one core, in turns of {result["seconds"]:g} s, {result["rounds"]} rounds. Times are in ms: median, mean, and processor
time, which other work on the machine disturbs least. *conversion* is the part of the median that makes 8-bit images of 16-bit ones,
or decodes. *faces* are those found on average. The last three columns are ratios to Face Mesh's median, mean and processor time in
the same round. The clip is rendered; Face Mesh
does not find its faces in each frame and then detects again, which costs it time. The detectors give boxes without landmarks.
The mean counts detections: those of the pipeline come every ten frames, and in an empty scene every 0.3 s.

{on_machine(result)}. Versions: {versions}. Skipped: {skipped or "none"}.
Targets for the ratio of *ours*: {targets}; six faces at most {result["most_times_one"]:g} times one.

{table(head, rows)}
"""


def network_speed() -> str:
    """Networks alone: those of the files, and landmark networks of other sizes."""
    result = load("benchmarks/results/network_speed.json")
    rows: list[list[object]] = [
        [name, f"{row['parameters'] / 1e6:.2f}", row["mmac"], f"{row['median_ms']:.2f}", f"{row['ratio']:.2f}"]
        for name, row in result["networks"].items()
    ]
    return f"""## Smaller landmark networks: `python benchmarks/network_speed.py`

Random weights, one crop, one thread, in a tight loop: what a network of that size would cost, before it is trained. *ratio* is to the
wide network in the same round, which teaches the shipped one. *separable*: depth-wise and point-wise convolutions. {on_machine(result)}.

{table(["network", "million parameters", "MMAC", "median ms", "ratio"], rows)}
{network_files(result)}"""


def network_files(result: dict[str, Any]) -> str:
    """The networks of the files beside those of the earlier version; nothing where these were not measured."""
    if not result.get("before"):
        return ""
    rows: list[list[object]] = [
        [case, "{} x {}".format(*found["input"]), version, row["mmac"], f"{row['median_ms']:.2f}", f"{row['ratio']:.2f}"]
        for case, found in result["files"].items() for version, row in found["versions"].items()
    ]  # fmt: skip
    return f"""
### Shipped networks, before and after: `python benchmarks/network_speed.py --before {result["before"]}`

The landmark network on one crop, and the detector at the input that it makes of an image of that size, in turns with those above.
*MMAC*: millions of multiplications in convolutions and products of matrices. *ratio* is to the network of commit {result["before"]} in
the same round.

{table(["network", "input", "version", "MMAC", "median ms", "ratio"], rows)}
"""


def node() -> str:
    """The node over DDS."""
    result = load("benchmarks/results/node.json")
    rows: list[list[object]] = [
        [f"{name}, {figures['rate_hz']:g} Hz", values["sent"], values["sent"] - values["answered"],
         f"{values['latency_ms']['median']:.2f}", f"{values['latency_ms']['p99']:.2f}",
         *(values.get(key, "not measured") for key in ("cpu_percent", "first_result_s")),
         values.get("first_landmarks_s", "not measured") or "", f"{values['memory_mb']:.0f}"]
        for figures in result["rounds"] for name in ("bare", "detector") for values in [figures[name]]
    ]  # fmt: skip
    head = ["", "images", "lost", "median ms", "p99 ms", "CPU %", "first result s", "first landmarks s", "memory MB"]
    return f"""## The node over DDS: `python benchmarks/node.py`

One face; from just before `publish` to the result's arrival in the publisher's process. *bare* is a node that
answers each image with an empty result. *CPU* is the share of a core; *first result* and *first landmarks*: seconds from the process's
start.
{on_machine(result)}. The detector's median is {result["summary"]["median_times_bare"]} times the bare node's in the worst round.

{table(head, rows)}
{node_targets(result["summary"])}"""


NODE_TARGETS = {
    "median_times_bare": "the detector's median over the bare node's, worst round",
    "cpu_percent": "CPU % at 30 Hz, worst round",
    "frames_lost": "images lost, all rounds",
    "first_landmarks_s": "first landmarks, s, worst round",
    "memory_mb": "memory MB, worst round",
}


def node_targets(summary: dict[str, Any]) -> str:
    """The worst rounds beside the targets; nothing where the results do not hold these."""
    if "targets" not in summary:
        return ""
    rows: list[list[object]] = [
        [NODE_TARGETS[name], f"{most:g}", summary[name], "yes" if summary["targets_met"][name] else "no"]
        for name, most in summary["targets"].items()
    ]
    return f"""
{table(["", "at most", "measured", "met"], rows)}
"""


def transport() -> str:
    """What the profile is worth."""
    result = load("benchmarks/results/transport.json")
    rows: list[list[object]] = [
        ["Fast DDS's defaults", result["arrived_with_defaults"]],
        ["`config/fastdds.xml`", result["arrived_with_profile"]],
    ]
    starts: list[list[object]] = [
        [name, len(seconds), f"{median(seconds):.2f}", f"{max(seconds):.2f}", sum(one > 1.0 for one in seconds)]
        for name, seconds in (
            ("Fast DDS's defaults", result["first_image_s_with_defaults"]),
            ("`config/fastdds.xml`", result["first_image_s_with_profile"]),
        )
    ]
    return f"""## Fast DDS: `python benchmarks/transport.py`

Images of 640 x 512 and 16 bit at {result["rate_hz"]:g} Hz, best effort, between two processes: how many of {result["sent"]} arrive.

{table(["profile", "arrived"], rows)}

Nodes that start without the profile while a camera runs with it or without: seconds from their start to their first image.

{table(["profile of the camera", "starts", "median", "slowest", "more than 1 s"], starts)}
"""


def capture() -> str:
    """The capture node: throughput and accidents."""
    result = load("benchmarks/results/capture.json")
    places = {place: result[place] for place in ("disk", "memory")}
    rows: list[list[object]] = [
        [place, f"{run['rate_hz']:g}", run["pairs_expected"], run["pairs_lost"], run["pairs"]["dropped"], run["megabytes_per_second"]]
        for place, values in places.items() for run in values["over_dds"]
    ]  # fmt: skip
    alone: list[list[object]] = [
        [place, values["writer_alone"]["megabytes_per_second"], values["writer_alone"]["megabytes_per_processor_second"],
         values["dd_megabytes_per_second"]]
        for place, values in places.items()
    ]  # fmt: skip
    accidents: list[list[object]] = [
        [name, case.get("state", "did not begin"), case.get("pairs_read", ""), case.get("manifest_pairs", {}).get("discarded", ""),
         case.get("log", "")]
        for name, case in result["faults"].items()
    ]  # fmt: skip
    size = sum(result["frames"].values()) / 1e6
    return f"""## Capture: `python benchmarks/capture.py`

Pairs of 640 x 512 of 16 bit and 1280 x 720 bgr8, {size:.2f} MB each, published by two processes, recorded by the node on a disk and in
memory. *lost*: missing in the bag, for whatever reason, the cameras' processes included; *dropped*: of these, by the node, because
the queue to the disk was full. {on_machine(result)}: where that is above the
number of cores, the machine was busy with other work, and `dd` with it.

{table(["bag on", "Hz", "pairs", "lost", "dropped", "MB/s"], rows)}

The writer without DDS, and `dd` of the same bytes (`conv=fdatasync`), MB/s:

{table(["", "writer", "writer, per second of processor time", "dd"], alone)}

Accidents at 10 Hz, on purpose: pairs that rosbags reads afterwards (after `recover` where it was killed), and what the log said at once.

{table(["accident", "state", "pairs kept", "pairs discarded", "log"], accidents)}
"""


def soak() -> str:
    """The node over a great many images."""
    result = load("benchmarks/results/soak.json")
    errors, samples = result["error_percent"], result["samples"]
    first, last, largest = (f"{errors[name]:.2f}" for name in ("first_tenth", "last_tenth", "largest"))
    rows: list[list[object]] = [
        [f"{sample['frame']:,}", f"{sample['resident_bytes'] / 1e6:.2f}", sample["threads"], sample["open_files"]]
        for sample in [samples[0], *samples[len(samples) // 10 - 1 :: max(len(samples) // 5, 1)], samples[-1]]
    ]
    return f"""## 100,000 images: `python benchmarks/soak.py`

The demo's clip over DDS to a detector node with its default parameters, each image after the answer to the previous one:
{result["frames"]:,} images in {result["seconds"] / 60:.0f} minutes, {result["answered"]:,} answered, {result["with_a_face"]:,} with a face.
Between the second tenth of the run and the last one the resident memory grew by {result["growth_bytes"] / 1e3:.0f} kB, the threads by
{result["growth_threads"]} and the open files by {result["growth_open_files"]}. The mean distance of
the landmarks from the true ones, in % of the root of the face's area, is {first} in the first tenth, {last} in the last one and at
most {largest}.
{on_machine(result)}: other work ran beside it.

{table(["after images", "resident MB", "threads", "open files"], rows)}
"""


def rendering() -> str:
    """Renders a second, and the jaw line."""
    result = load("benchmarks/results/rendering.json")
    rows: list[list[object]] = []
    for kind, figures in result["kinds"].items():
        one, two, (width, height) = figures["processes_1"], figures["processes_2"], figures["size"]
        rows.append(
            [kind, f"{width} x {height}", one["cpu_ms"], two["cpu_ms"], one["a_second"], two["a_second"]],
        )
    jaw: list[list[object]] = [[yaw, v["near_side"], v["far_side"]] for yaw, v in result["jaw_percent"].items()]
    machine = result["machine"]
    return f"""## Rendering: `python benchmarks/rendering.py --face-model FOLDER`

Images sampled and rendered in memory, {result["count"]} a process. *CPU*: what the processes computed, an image; *a second*: images
by the clock, beside whatever else ran. {machine["cpu"]}, {machine["cores"]} cores, Python {machine["python"]}, numpy
{machine["numpy"]}, numba {machine["numba"]}; load average at the start {machine["load_average"]:g}: where that is more than the number of
cores less the number of processes, only the CPU's figures mean something, and they are too high by what the caches were shared.

{table(["kind", "pixels", "CPU ms, one process", "CPU ms, two", "a second, one process", "a second, two"], rows)}

Mean distance between the jaw line on the visible outline and at the model's fixed vertices, percent of the root of the box's area,
by yaw in degrees:

{table(["yaw", "near side", "far side"], jaw)}
"""


def landmark_layout() -> str:
    """Where the rendered faces' landmarks lie."""
    columns = load("benchmarks/results/landmark_layout.json")
    first = next(iter(columns.values()))
    rows: list[list[object]] = [[name, *(f"{column[name]:.2f}" for column in columns.values())] for name in first]
    return f"""## The landmarks' places: `python benchmarks/landmark_layout.py --face-model FOLDER`

Heights on the neutral face, from the eyes' middle (0) to the corners of the mouth (1), downwards. The mean of 300-W contains smiles
and open mouths, the neutral face does not.

{table(["points", *columns], rows)}
"""


def thermal_only() -> str:
    """From a thermal camera alone to better landmarks."""
    result = load("benchmarks/results/adaptation_thermal_only.json")
    pairs = load("benchmarks/results/adaptation_same_people.json")
    rows: list[list[object]] = [
        [name, f"{result['before'][name]:.2f}", f"{result['after'][name]:.2f}"] for name in result["before"]
    ]
    each = {when: result["every_frame"][when] for when in ("before", "after")}
    frames = each["before"]["frames"]
    rows.append(
        [f"every frame of the held-out people, {frames}, pipeline", *(f"{v['nme']:.2f}" for v in each.values())]
    )
    splits = ", ".join(f"{count} for {split}" for split, count in result["data"].items())
    left_out = ", ".join(f"{count} {reason}" for reason, count in result["left_out"].items())
    kept = "the file was written" if result["written"] else f"no file was written: {result['reason']}"
    command = (
        f"python benchmarks/adaptation.py --rendered test/system/people.npz --thermal-only --steps {result['steps']}"
    )
    return f"""## Without an RGB camera: `{command}`

{result["people"]} other rendered people before the same thermal camera, five images each. `pseudo_label` kept
{sum(result["data"].values())} faces ({splits}; left out: {left_out}); `adapt` took two rounds of at least
{result["steps"]} steps; of the network {kept}. One seed. {on_machine(result)}.

The disagreement of the crops is all that the command knows of the recordings; *every frame* is against the renderer's own labels, in %
of sqrt(w h), which it did not see. People and numbers of images are others than in the section before, so the loop with the RGB camera
was run on them, too (`--rendered test/system/people.npz --steps {pairs["steps"]}`, one seed): every frame
{pairs["every_frame"]["before"]["nme"]:.2f} before, {pairs["every_frame"]["after"]["nme"]:.2f} after.

{table(["", "before", "after"], rows)}
"""


def adaptation() -> str:
    """From two cameras to better landmarks."""
    result = load("benchmarks/results/adaptation.json")
    recorded, data, seconds = result["recorded"], result["data"], result["seconds"]
    rows: list[list[object]] = [
        [name, f"{result['before'][name]:.2f}", f"{result['after'][name]:.2f}"] for name in result["before"]
    ]
    each = {when: result["every_frame"][when] for when in ("before", "after")}
    frames = each["before"]["frames"]
    rows.append(
        [
            f"every frame of the held-out people, {frames}, pipeline",
            *(f"{values['nme']:.2f}" for values in each.values()),
        ]
    )
    rows.append(["of these, faces found", *(values["found"] for values in each.values())])
    left_out = ", ".join(f"{count} {reason}" for reason, count in data["left_out"].items()) or "nothing"
    splits = ", ".join(f"{count} for {split}" for split, count in data["faces_by_split"].items())
    kept = "the file was written" if result["written"] else "no file was written, as it is no better"
    told = ", ".join(f"{name} {value:g}" for name, value in seconds.items())
    way = "both levels of the distillation" if result["distilled"] else "labels and the shipped network as the anchor"
    return f"""## The whole loop: `python benchmarks/adaptation.py --face-model FOLDER`

{recorded["people"]} rendered people, one after the other, before a thermal camera at 9 Hz and an RGB camera at 30 Hz with jittered
stamps, of whose frames 5 % never come. The thermal camera is unlike those of the training: out of focus, with column noise and
shading, low and looking up. The capture node recorded {recorded["pairs"]} pairs of {recorded["thermal"]} thermal and
{recorded["rgb"]} RGB images, each byte as it was published. `dataset`, with the
teacher {result["teacher"]["name"]}, kept {data["faces"]} faces
({splits}; left out: {left_out}). `adapt` ({way}) took {result["steps"]} steps; of the network {kept}.
Seconds: {told}. {on_machine(result)}.

NME in % of sqrt(w h); *held out* is the split "test" of the data set, against the teacher's labels and with the box given; *every
frame* is against the renderer's own, of faces that the whole pipeline finds, without tracking or smoothing. The clip shows what was
forgotten.

{table(["", "before", "after"], rows)}
"""


def text() -> str:
    """The whole page."""
    head = "# Measurements\n\nWritten by `python benchmarks/report.py` from `benchmarks/results/`.\n"
    parts = (
        pipeline,
        rates,
        others,
        network_speed,
        node,
        soak,
        transport,
        rendering,
        landmark_layout,
        capture,
        adaptation,
        thermal_only,
    )
    return "\n".join([head, *filter(None, (part() for part in parts))])


if __name__ == "__main__":
    (ROOT / "benchmarks/README.md").write_text(text(), encoding="utf-8")
