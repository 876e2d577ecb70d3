"""Every message is accepted or refused as its case says; accepted ones are carried on with each value as it was."""

from __future__ import annotations

import pytest

from b2bua.sip.malformed_message import MalformedMessage
from b2bua.sip.message import Request
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from tests.torture import rfc4475_invalid, rfc4475_semantics, rfc4475_valid, rfc5118
from tests.torture.case import Case

RFC_4475 = (*rfc4475_valid.CASES, *rfc4475_invalid.CASES, *rfc4475_semantics.CASES)
CASES = (*RFC_4475, *rfc5118.CASES)


def test_every_message_of_both_rfcs_is_here():
    names = [case.name for case in RFC_4475 if " " not in case.name]
    assert len(set(names)) == len(names) == 49
    assert len({case.name for case in rfc5118.CASES}) == 12


@pytest.mark.parametrize("case", [case for case in CASES if not case.status], ids=lambda case: case.name)
def test_accepted(case: Case):
    message = parse_message(case.data)
    again = parse_message(message.encode())
    assert again.encode() == message.encode()
    assert (again.names, again.lines, again.body) == (message.names, message.lines, message.body)
    assert (again.cseq, again.from_, again.to, again.top_via) == (
        message.cseq,
        message.from_,
        message.to,
        message.top_via,
    )
    if isinstance(message, Request):
        response = parse_message(response_to(message, 404, tag="t").encode())
        assert response.elements("Via") == message.elements("Via")
        assert response.to.tag == (message.to.tag or "t")


@pytest.mark.parametrize("case", [case for case in CASES if case.status], ids=lambda case: case.name)
def test_refused(case: Case):
    with pytest.raises(MalformedMessage) as caught:
        parse_message(case.data)
    request = caught.value.request
    assert (caught.value.status, request is not None) == (case.status, case.answered)
    if request is not None:
        response = response_to(request, caught.value.status, caught.value.reason, "t")
        assert response.get("Via") == request.get("Via")
        assert response.encode().startswith(f"SIP/2.0 {case.status} ".encode())
        assert response.cseq_method == request.method or case.name.startswith("mismatch")
