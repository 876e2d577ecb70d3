from __future__ import annotations

from b2bua.sip.malformed_message import MalformedMessage


def test_a_malformed_message_may_have_no_request_to_answer():
    error = MalformedMessage("line ends")
    assert (error.kind, error.status, error.reason, error.request) == ("line ends", 400, "Bad Request", None)
