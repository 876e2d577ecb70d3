from __future__ import annotations

from b2bua.sip.errors import MalformedValue, SipError


def test_a_refusal_carries_status_reason_and_headers():
    error = SipError(420, "Bad Extension", ("Unsupported", "foo"))
    assert (error.status, error.reason, error.headers) == (420, "Bad Extension", (("Unsupported", "foo"),))
    assert str(error) == "420 Bad Extension"


def test_a_malformed_value_is_400_unless_said_otherwise():
    assert (MalformedValue("Via").status, MalformedValue("Via").reason) == (400, "Bad Via")
    assert MalformedValue("SDP", 488).status == 488


def test_a_reason_phrase_stays_short():
    assert len(MalformedValue("x" * 1000).reason) == 80
