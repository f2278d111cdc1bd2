# SPDX-License-Identifier: Apache-2.0
"""Figures of made-up predictions on a made-up data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thermal_fld_ros.datasets.sample import SCHEMES, DataSet, LabelledFace, Sample, Scheme, face_from
from thermal_fld_ros.evaluation.figures import data_figures, run_figures
from thermal_fld_ros.evaluation.metrics import POINT_SETS
from thermal_fld_ros.evaluation.protocols import Detections, Found, Run
from thermal_fld_ros.evaluation.report import plots_of, text
from thermal_fld_ros.recordings.source import RawImage

POINTS = np.column_stack([np.tile(np.linspace(0, 40, 17), 4), np.repeat(np.linspace(0, 40, 4), 17)])  # box 40 x 40


def face(x: float = 0.0, scheme: Scheme = SCHEMES["ibug68"], **told: Any) -> LabelledFace:
    return face_from("test", points=scheme.select(POINTS + np.array([x, 0])), scheme=scheme, **told)


def sample(name: str, *faces: LabelledFace, **told: Any) -> Sample:
    image = RawImage.from_array(np.zeros((60, 400), np.uint8))
    return Sample(name, lambda: image, faces, **told)


def figures(data: DataSet, **run: Any) -> dict[str, Any]:
    return run_figures(data, Run("model", **run), POINT_SETS, 0.4)


def test_given_box_by_hand() -> None:
    data = DataSet("set", [sample("a", face()), sample("b", face())], SCHEMES["ibug68"])
    wrong = POINTS.copy()
    wrong[36:48] += (0, 4)  # the eyes by a tenth of the face
    result = figures(data, given=[[Found(wrong)], [None]])["given_box"]
    assert result["main"] == "68"
    assert result["points"]["68"]["nme"] == pytest.approx(10 * 12 / 68, abs=1e-3)
    assert result["points"]["51"]["nme"] == pytest.approx(10 * 12 / 51, abs=1e-3)
    assert result["points"]["54"]["nme"] == pytest.approx(10 * 12 / 54, abs=1e-3)
    assert (result["points"]["68"]["faces"], result["points"]["68"]["missed"]) == (2, 1)
    eyes = np.linalg.norm(POINTS[45] - POINTS[36])
    assert result["points"]["68"]["nme_interocular"] == pytest.approx(100 * 4 * 12 / 68 / eyes, abs=1e-3)
    assert result["regions"]["eyes"] == pytest.approx(10.0)
    assert result["regions"]["jaw"] == result["regions"]["inner mouth"] == 0.0


def test_groups_by_yaw_and_glasses() -> None:
    faces = [face(yaw=-20.0, glasses=True), face(yaw=22.0, glasses=False), face(yaw=80.0, glasses=False)]
    data = DataSet("set", [sample(str(k), one) for k, one in enumerate(faces)], SCHEMES["ibug68"])
    result = figures(data, given=[[Found(POINTS)], [Found(POINTS + np.array([4, 0]))], [None]])["given_box"]
    assert {name: row["faces"] for name, row in result["yaw"].items()} == {"15-30": 2, "75-90": 1}
    assert result["yaw"]["15-30"]["nme"] == pytest.approx(5.0)
    assert result["yaw"]["75-90"] == {"faces": 1, "missed": 1, "nme": None, "failure_10": 1.0}
    assert result["glasses"]["with"]["nme"] == 0.0
    assert result["glasses"]["without"]["failure_10"] == 0.5
    assert "mask" not in result


@pytest.mark.parametrize(("scheme", "sets"), [("ibug51", ["51"]), ("sftl54", ["54"]), ("tfw5", ["5"])])
def test_only_sets_whose_points_are_all_labelled_are_scored(scheme: str, sets: list[str]) -> None:
    box = None if scheme == "sftl54" else [0, 0, 40, 40]
    data = DataSet("set", [sample("a", face(scheme=SCHEMES[scheme], box=box))], SCHEMES[scheme])
    result = figures(data, given=[[Found(POINTS + np.array([2, 0]))]])["given_box"]
    assert list(result["points"]) == sets
    assert result["points"][sets[0]]["nme"] == pytest.approx(5.0)


def test_points_that_are_not_scored_still_tell_the_face() -> None:
    data = DataSet("set", [sample("a", face())], SCHEMES["ibug68"], scored=tuple(range(17, 68)))
    wrong = POINTS.copy()
    wrong[:17] += 100
    result = figures(data, given=[[Found(wrong, np.full(68, 0.9))]])
    assert {name: row["nme"] for name, row in result["given_box"]["points"].items()} == {"51": 0.0}
    assert "jaw" not in result["given_box"]["regions"]
    assert result["calibration"]["all"]["points"] == 51


def test_faces_that_need_not_be_found_are_neither_missed_nor_false() -> None:
    data = DataSet("set", [sample("a", face(), face(100, required=False)), sample("b")], SCHEMES["ibug68"])
    nothing = figures(data, found=[[], []])
    assert nothing["detection"]["recall"] == 0.0
    assert nothing["pipeline"]["points"]["68"]["failure_10"] == 1.0
    both = figures(data, found=[[Found(POINTS), Found(POINTS + np.array([100, 0]))], [Found(POINTS)]])
    assert both["detection"]["recall"] == both["detection"]["located"] == 1.0
    assert (both["detection"]["false_faces"], both["detection"]["elsewhere"]) == (1, 1)
    assert both["detection"]["precision"] == 0.5
    assert both["pipeline"]["points"]["68"]["missed"] == 0


def test_traps_and_other_peoples_boxes() -> None:
    trap = np.array([190.0, 0.0, 60.0, 60.0])
    loose = face_from("test", box=[0, 0, 90, 90])
    data = DataSet("set", [sample("a", loose, traps=(trap,))])
    result = figures(data, found=[[Found(POINTS + np.array([20, 20])), Found(POINTS + np.array([200, 0]))]])[
        "detection"
    ]
    assert (result["recall"], result["located"]) == (0.0, 1.0)
    assert (result["false_faces"], result["elsewhere"], result["in_traps"]) == (2, 1, 1)


def test_where_not_every_face_is_labelled_none_is_false() -> None:
    data = DataSet("set", [sample("a", face())], SCHEMES["ibug68"], every_face=False)
    run = {
        "found": [[Found(POINTS), Found(POINTS + np.array([100, 0]))]],
        "detections": [Detections(np.zeros((0, 4)), np.zeros(0))],
    }
    result = figures(data, **run)
    assert result["detection"]["recall"] == 1.0
    assert not {"precision", "false_faces"} & set(result["detection"])
    assert "detector" not in result


def test_average_precision_by_size() -> None:
    small = face_from("test", box=[0, 0, 20, 20])
    large = face_from("test", box=[100, 0, 50, 50])
    data = DataSet("set", [sample("a", small, large)])
    found = Detections(np.array([[100.0, 0, 50, 50], [300, 0, 20, 20], [0, 0, 20, 20]]), np.array([0.9, 0.8, 0.7]))
    result = figures(data, detections=[found])["detector"]
    assert result["all"] == {"faces": 2, "ap": pytest.approx((1 + 2 / 3) / 2, abs=1e-3)}
    assert result["0-24"] == {"faces": 1, "ap": 0.5}
    assert result["48-96"] == {"faces": 1, "ap": 1.0}
    assert "24-48" not in result


def test_confidence_of_visible_and_hidden_points() -> None:
    visible = np.ones(68, bool)
    visible[:17] = False
    data = DataSet("set", [sample("a", face(visible=visible))], SCHEMES["ibug68"])
    predicted, confidence = POINTS.copy(), np.where(visible, 0.95, 0.25)
    predicted[:17] += 10
    result = figures(data, given=[[Found(predicted, confidence)]])["calibration"]
    assert (result["visible"]["stated"], result["visible"]["observed"]) == (0.95, 1.0)
    assert (result["hidden"]["stated"], result["hidden"]["observed"], result["hidden"]["ece"]) == (0.25, 0.0, 0.25)


def test_tables_and_plots_of_all_this() -> None:
    data = DataSet(
        "My set", [sample("a", face(yaw=10.0)), sample("b")], SCHEMES["ibug68"], "by hand", left_out={"blurred": 2}
    )
    found = [[Found(POINTS, np.full(68, 0.5), "f1", 0.9)], []]
    row = figures(data, given=[[found[0][0]], []], found=found)
    results = {"iou": 0.4, "data": {"My set": data_figures(data)}, "rows": [{"data": "My set", "model": "mine", **row}]}
    tables = text(results)
    assert "| My set | mine  | given box | 68" in tables
    assert "yaw 0-15" in tables
    assert results["data"]["My set"]["left_out"] == {"blurred": 2}
    assert [kind for kind, _ in plots_of(results)] == ["errors", "confidence", "score", "yaw"]
    assert {data for _, data in plots_of(results)} == {"My set"}


def test_labels_that_are_misplaced_as_a_whole_cost_nothing_after_the_shift() -> None:
    data = DataSet("set", [sample("a", face())], SCHEMES["ibug68"])
    askew = POINTS + np.array([3.0, -2.0])
    askew[62] += (0, 4)
    points = figures(data, given=[[Found(askew)]])["given_box"]["points"]["68"]
    assert points["nme"] > 8.0
    assert points["nme_shifted"] == pytest.approx((67 * 4 / 68 + 4 * 67 / 68) / 68 / 40 * 100, abs=0.01)


def test_jaw_points_along_their_line_are_no_error_of_the_line() -> None:
    data = DataSet("set", [sample("a", face())], SCHEMES["ibug68"])
    along = POINTS.copy()
    along[1:16, 0] += 1.0  # the labelled jaw line is level
    below = POINTS + np.array([0, 2.0])
    result = [figures(data, given=[[Found(points)]])["given_box"] for points in (along, below)]
    assert (result[0]["jaw_line"], result[1]["jaw_line"]) == (0.0, 5.0)
    assert result[0]["regions"]["jaw"] > 2.0


def test_people_make_the_interval_and_not_their_many_images() -> None:
    def error(subject: str, percent: float) -> tuple[Sample, Found]:
        name = f"{subject} {percent}"
        return sample(name, face(subject=subject)), Found(POINTS + np.array([0.4 * percent, 0]))

    many = [error("anna", 2.0) for _ in range(50)] + [error("ben", 4.0), error("cleo", 6.0)]
    samples = [Sample(f"{k}", one.read, one.faces) for k, (one, _) in enumerate(many)]
    result = figures(DataSet("set", samples, SCHEMES["ibug68"]), given=[[found] for _, found in many])["given_box"]
    low, high = result["points"]["68"]["interval"]
    assert result["people"] == 3
    assert low == pytest.approx(2.0, abs=0.01) and high == pytest.approx(6.0, abs=0.01)
    alone = figures(DataSet("set", samples[:50], SCHEMES["ibug68"]), given=[[found] for _, found in many[:50]])
    assert alone["given_box"]["points"]["68"]["interval"] is None


def test_published_faces_are_right_or_wrong_and_their_score_is_judged() -> None:
    boxed = DataSet("boxes", [sample("a", face_from("test", box=[0, 0, 40, 40]))])
    data = DataSet("points", [sample("a", face(), face(100, required=False))], SCHEMES["ibug68"])
    right, wrong = Found(POINTS, None, "f1", 0.9), Found(POINTS + np.array([5.0, 0]), None, "f2", 0.9)
    beside = Found(POINTS + np.array([100.0, 0]), None, "f3", 0.9)
    result = figures(data, found=[[right, wrong, beside]])["published"]
    assert (result["faces"], result["wrong"]) == (3, 1)
    assert result["score"]["ece"] == pytest.approx(0.9 - 2 / 3, abs=1e-3)
    assert figures(boxed, found=[[right, wrong, beside]])["published"]["wrong"] == 1


def test_openings_of_all_faces() -> None:
    openings = [0.0, 4.0, 8.0, 12.0]
    labels, found = [], []
    for width in openings:
        truth, half = POINTS.copy(), POINTS.copy()
        truth[62], truth[66] = (20, 20), (20, 20 + width)
        half[62], half[66] = (20, 20), (20, 20 + width / 2)
        labels.append(face_from("test", points=truth, scheme=SCHEMES["ibug68"]))
        found.append([Found(half)])
    data = DataSet("set", [sample(str(k), label) for k, label in enumerate(labels)], SCHEMES["ibug68"])
    mouth = figures(data, given=found)["given_box"]["openings"]["mouth"]
    assert (mouth["slope"], mouth["bias"], mouth["closed"], mouth["closed_reads"]) == (0.5, -7.5, 1, 0.0)
