# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from node_rig import Rig


def worker_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "thermal_fld_images"]


def test_autostart_takes_the_node_to_active(rig: Rig) -> None:
    rig.start_connected()
    assert rig.state() == "active"


def test_a_manager_takes_it_through_all_states_again_and_again(rig: Rig) -> None:
    rig.start(autostart=False)
    assert rig.state() == "unconfigured"
    assert rig.node.count_subscribers("image") == 0 and rig.node.count_publishers("face_landmarks") == 0
    for _ in range(2):
        assert rig.change_state(Transition.TRANSITION_CONFIGURE) and rig.state() == "inactive"
        assert not worker_threads()
        for _ in range(2):
            assert rig.change_state(Transition.TRANSITION_ACTIVATE) and rig.state() == "active"
            rig.connect()
            assert rig.detect(rig.scene()).faces
            values = rig.wait_for_status(lambda status, values: int(values.get("results published", 0)) > 0)
            assert int(values["images received"]) >= int(values["results published"]), "both since the activation"
            assert rig.change_state(Transition.TRANSITION_DEACTIVATE) and rig.state() == "inactive"
            assert not worker_threads()
            rig.wait_for(lambda: rig.node.count_subscribers("image") == 0, "the end of the subscription")
        rig.wait_for_status(lambda status, values: values["state"] == "inactive")
        assert rig.change_state(Transition.TRANSITION_CLEANUP) and rig.state() == "unconfigured"
        rig.wait_for(lambda: rig.node.count_publishers("face_landmarks") == 0, "the end of the result topic")
    assert rig.change_state(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN) and rig.state() == "finalized"


def test_shutdown_from_active_leaves_nothing_running(rig: Rig) -> None:
    rig.start_connected()
    assert rig.change_state(Transition.TRANSITION_ACTIVE_SHUTDOWN) and rig.state() == "finalized"
    assert not worker_threads()


@pytest.mark.parametrize("transition", [Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_CLEANUP, 98, 255])
def test_a_transition_that_the_state_does_not_have_is_refused(rig: Rig, transition: int) -> None:
    """As any manager sends `configure` to a node that `autostart` has activated already."""
    rig.start_connected()
    assert not rig.change_state(transition)
    assert rig.state() == "active" and rig.detect(rig.scene()).faces
    assert str(transition) in rig.wait_for_log("is not possible in the present state")


def test_a_model_that_cannot_be_loaded_fails_configure_and_says_why(rig: Rig, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    detector = rig.start(landmark_model=str(broken))
    assert rig.state() == "unconfigured"
    assert str(broken) in rig.wait_for_log("configure failed")
    assert not rig.change_state(Transition.TRANSITION_CONFIGURE) and rig.state() == "unconfigured"
    rig.wait_for_status(lambda status, values: status.level == DiagnosticStatus.ERROR and str(broken) in status.message)
    assert rig.set_parameters(landmark_model=detector.get_parameter("detector_model").value).successful
    assert not rig.change_state(Transition.TRANSITION_CONFIGURE), "a detector is no landmark model"
    assert "expected" in rig.wait_for_log('"task" is "detection"')


def test_a_repaired_parameter_lets_configure_succeed(rig: Rig, dummy_models: Path) -> None:
    rig.start(landmark_model="/nowhere/model.onnx")
    assert "No such file" in rig.wait_for_log("/nowhere/model.onnx")
    assert rig.set_parameters(landmark_model=str(dummy_models / "face_landmarks.onnx")).successful
    assert rig.change_state(Transition.TRANSITION_CONFIGURE)
    assert rig.change_state(Transition.TRANSITION_ACTIVATE)
    rig.connect()
    rig.wait_for_status(lambda status, values: status.level == DiagnosticStatus.OK)
