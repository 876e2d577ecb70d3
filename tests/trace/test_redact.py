"""What never leaves the server."""

from __future__ import annotations

import pytest

from b2bua.trace.redact import redact


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ('Authorization: Digest x="a", response="0a1b", y="b"', 'Authorization: Digest x="a", response="***", y="b"'),
        ("Proxy-Authorization: Digest response=0a1b, nc=1", 'Proxy-Authorization: Digest response="***", nc=1'),
        ('authorization: Digest\r\n response = "0a1b"', 'authorization: Digest\r\n response = "***"'),
        ('Authentication-Info: rspauth="0a1b"', 'Authentication-Info: rspauth="***"'),
        ("Authorization: Basic QWxhZGRpbg==", "Authorization: Basic ***"),
        ("a=crypto:1 AES inline:c2Vj/ret+=|2^20|1:4", "a=crypto:1 AES inline:***|2^20|1:4"),
        ("a=crypto:1 AES inline:one|2^20;inline:two", "a=crypto:1 AES inline:***|2^20;inline:***"),
        ("k=clear:secret\r\na=sendrecv", "k=clear:***\r\na=sendrecv"),
        ("a=key-mgmt:mikey AQAF", "a=key-mgmt:mikey ***"),
        ("REFER sip:6001:pass@example.com SIP/2.0", "REFER sip:6001:***@example.com SIP/2.0"),
        ("x;password=open;y", 'x;password="***";y'),
        ('{"user": "6001", "password": "open", "x": 1}', '{"user": "6001", "password": "***", "x": 1}'),
        ("Password: open", 'Password: "***"'),
        ("<agent><password>1234</password></agent>", "<agent><password>***</password></agent>"),
    ],
)  # fmt: skip
def test_hidden(shown: str, expected: str) -> None:
    assert redact(shown) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Contact: <sip:6001@192.0.2.1:5060;ob>",
        "Contact: <sip:192.0.2.1:5060>, <sip:6001@example.com>",
        "SIP/2.0 407 Proxy Authentication Required",
        'Proxy-Authenticate: Digest realm="example.com", nonce="n", qop="auth"',
        "Content-Disposition: inline",
    ],
)
def test_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("part", ["sip:a:", "<password ", 'response="', "inline:", "password = ", "k=clear:\r\n"])
def test_hostile_repetition_ends(part: str) -> None:
    assert redact(part * (65_000 // len(part)))
