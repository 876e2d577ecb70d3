"""What is looked at when all is at rest: nothing is wrong with a held call, and each lie about it is found."""

from __future__ import annotations

import pytest

from b2bua.phone.call import CallState
from b2bua.phone.subscription import Subscription
from b2bua.sip.dialog_info import DialogInfo, DialogState
from tests.stateful.model_phone import calls_of
from tests.stateful.rest_checks import lying_lamps, wrong_gauges
from tests.stateful.whole_server import WholeServer

HELD = {"early": 0, "confirmed": 0, "held": 1}


@pytest.fixture
def held() -> WholeServer:
    """6001 holds 6002, whose lamp 6003 has."""
    machine = WholeServer()
    machine.start(seed=1, share=0.0, delay=0.0, interval=1800, talking=True, certified=True)
    calls_of(machine.phones["6001"])[0].hold()
    machine.network.advance(3)
    return machine


def lamp_of_6002(machine: WholeServer) -> tuple[Subscription, DialogState]:
    (lamp,) = machine.phones["6003"].lamps
    assert lamp.document is not None
    (dialog,) = lamp.document.dialogs
    return lamp, dialog


def show(machine: WholeServer, *dialogs: DialogState) -> list[str]:
    """What is found when the lamp of 6002 shows these."""
    machine.phones["6003"].lamps[0].document = DialogInfo("sip:6002@example.com", dialogs, 99)
    return lying_lamps(machine.phones)


def test_a_held_call_is_shown_as_it_is(held: WholeServer) -> None:
    _, dialog = lamp_of_6002(held)
    assert (dialog.local.rendering, dialog.remote.rendering) == ("", "no")
    assert lying_lamps(held.phones) == []
    b2bua = held.server.b2bua
    assert wrong_gauges(b2bua.calls(), b2bua.longest_hold(), held.phones["6001"], held.phones["6002"]) == []


@pytest.mark.parametrize(("local", "remote"), [("", ""), ("", "yes"), ("yes", "yes"), ("no", ""), ("no", "no"), ("yes", "no")])
def test_a_lie_about_either_side_is_found(held: WholeServer, local: str, remote: str) -> None:
    _, dialog = lamp_of_6002(held)
    lie = dialog._replace(local=dialog.local._replace(rendering=local), remote=dialog.remote._replace(rendering=remote))
    assert len(show(held, lie)) == 2  # the call is not shown, and what is shown is no call


def test_a_lie_about_the_call_is_found(held: WholeServer) -> None:
    _, dialog = lamp_of_6002(held)
    assert show(held, dialog) == []
    assert show(held)
    assert show(held, dialog, dialog)
    assert show(held, dialog._replace(state="early"))
    assert show(held, dialog._replace(direction="initiator"))


def test_a_lamp_without_a_document_is_found(held: WholeServer) -> None:
    lamp, _ = lamp_of_6002(held)
    lamp.document = None
    assert lying_lamps(held.phones) == ["6003's lamp of 6002 is active and has no document"]
    lamp.active = False
    assert lying_lamps(held.phones) == []


@pytest.mark.parametrize("state", ["early", "confirmed", "held"])
@pytest.mark.parametrize("drift", [-1, 1])
def test_a_gauge_that_has_drifted_is_found(held: WholeServer, state: str, drift: int) -> None:
    counted = {**HELD, state: HELD[state] + drift}
    assert len(wrong_gauges(counted, 3.0, held.phones["6001"], held.phones["6002"])) == 1


def test_a_hold_without_its_seconds_is_found_and_seconds_without_a_hold(held: WholeServer) -> None:
    one, other = held.phones["6001"], held.phones["6002"]
    assert len(wrong_gauges(HELD, 0.0, one, other)) == 1
    calls_of(one)[0].resume()
    held.network.advance(3)
    confirmed = {"early": 0, "confirmed": 1, "held": 0}
    assert wrong_gauges(confirmed, 0.0, one, other) == []
    assert len(wrong_gauges(confirmed, 3.0, one, other)) == 1


def test_a_call_that_rings_is_early(held: WholeServer) -> None:
    one, other = held.phones["6001"], held.phones["6002"]
    other.dial("sip:6001@example.com")
    held.network.advance(3)
    assert calls_of(one)[1].state is CallState.OFFERED
    assert held.server.b2bua.calls() == {"early": 1, "confirmed": 0, "held": 1}
    assert wrong_gauges({"early": 1, "confirmed": 0, "held": 1}, 3.0, one, other) == []
    assert lying_lamps(held.phones) == []
