"""What a REFER asks for (RFC 3515 §2.1): the method and the headers of a SIP URI; of another scheme its whole."""

from __future__ import annotations

import pytest

from b2bua.sip.message import Request
from b2bua.sip.refer_to import refer_to_of


@pytest.mark.parametrize(
    ("uri", "method", "replaces"),
    [
        ("sip:6003@example.com", "INVITE", False),
        ("sip:6003@example.com;method=BYE", "BYE", False),
        ("sips:6003@example.com;method=BYE", "BYE", False),
        ("sip:6003@example.com?Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db", "INVITE", True),
        ("sips:6003@example.com?Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db", "INVITE", True),
        ("tel:+49301;method=BYE", "INVITE", False),
        ("mailto:6003@example.com;method=BYE", "INVITE", False),
    ],
)
def test_by_scheme(uri: str, method: str, replaces: bool) -> None:
    refer = Request("REFER", "sip:6002@example.com", [], [])
    refer.append("Refer-To", f"<{uri}>")
    asked = refer_to_of(refer)
    assert (asked.method, asked.replaces is not None) == (method, replaces)
