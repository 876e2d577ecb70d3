"""What a feature server says to a re-INVITE that it is sent once more, and whom that answers."""

from __future__ import annotations

import pytest

from b2bua.session_manager.elsewhere import _AskedAgain, _Waiting
from b2bua.session_manager.links import FeatureLink
from tests.transaction.neighbours import ClientRecorder, Element, reply, request, unsent


@pytest.mark.parametrize("status", [180, 200, 404, 408, 481, 482, 486, 491, 500, 503])
def test_every_answer_but_that_it_has_it_already_goes_to_the_phone(status: int) -> None:
    """482: it is at it; 500: it has had a later one. The answer to the first copy is still to come. A 503 would say of us that
    we can do nothing for the phone (RFC 3261 §16.7 step 6)."""
    element = Element()
    invite = request("INVITE", to_tag="t")
    element.receive(invite)
    waiting = _Waiting(FeatureLink("cm", element.flow), element.transaction(), invite, 0.0)
    client = element.layer.send_request(unsent("INVITE", to_tag="t"), element.flow, ClientRecorder())
    element.flow.sent.clear()
    response = reply(invite, status)
    response.append("Retry-After", "7")
    response.insert_before("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours")
    _AskedAgain(element.layer, waiting).response_received(client, response)
    assert element.flow.statuses() == ([] if status in (180, 482, 500) else [500 if status == 503 else status])
    assert all(answer.get("Retry-After") == "7" for answer in element.flow.sent)
