from __future__ import annotations

import pytest

from b2bua.sip import digest
from b2bua.sip.errors import MalformedValue

RFC_2617 = (
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
    'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
RFC_7616 = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, '
    'response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(("value", "password"), [(RFC_2617, "Circle Of Life"), (RFC_7616, "Circle of Life")])
def test_the_examples_of_rfc_2617_and_7616(value, password):
    credentials = digest.parse_credentials(value)
    secret = digest.ha1(credentials.username, credentials.realm, password)
    assert digest.expected_response(secret, "GET", credentials) == credentials.response
    assert digest.expected_response(secret, "POST", credentials) != credentials.response


def test_ha1_of_rfc_2617():
    assert digest.ha1("Mufasa", "testrealm@host.com", "Circle Of Life") == "939e7578ed9e3c518a452acee763bce9"


def test_without_qop_as_in_rfc_2069():
    """RFC 2617 §3.2.2.1: H(H(A1):nonce:H(A2))."""
    value = RFC_2617.replace("qop=auth, nc=00000001, ", "")
    secret = digest.ha1("Mufasa", "testrealm@host.com", "Circle Of Life")
    assert (
        digest.expected_response(secret, "GET", digest.parse_credentials(value)) == "670fd8c2df070c60b045671b8b24ff02"
    )


def test_credentials_in_odd_forms():
    value = 'DIGEST  Username = "a\\"b" ,REALM="r, s",nonce=n,uri="sip:<x>,y",response="ABC",,'
    credentials = digest.parse_credentials(value)
    assert (credentials.username, credentials.realm, credentials.nonce) == ('a"b', "r, s", "n")
    assert (credentials.uri, credentials.response, credentials.algorithm, credentials.qop) == (
        "sip:<x>,y",
        "abc",
        "MD5",
        "",
    )


@pytest.mark.parametrize(
    "value",
    ["", "Digest", "Basic QWxhZGRpbg==", "NoOneKnowsThisScheme opaque-data=here", RFC_2617.replace("response", "other"),
     RFC_2617.replace("username=", "name="), RFC_2617 + ', realm="again"', RFC_2617 + ', ="x"', RFC_2617 + ", flag",
     RFC_2617 + ', x="open'],
)  # fmt: skip
def test_what_are_no_credentials(value):
    with pytest.raises(MalformedValue):
        digest.parse_credentials(value)


def test_a_challenge_of_ours_reads_back():
    challenge = digest.parse_challenge(digest.challenge_text("example.com", "n1", stale=True))
    assert challenge == digest.Challenge("example.com", "n1", "MD5", ("auth",), True, "")
    assert "stale" not in digest.challenge_text("example.com", "n1")


def test_a_challenge_of_others():
    value = 'Digest realm="r", nonce="n", qop="auth-int, auth", opaque="o", stale=FALSE, algorithm=md5, domain="/"'
    assert digest.parse_challenge(value) == digest.Challenge("r", "n", "md5", ("auth-int", "auth"), False, "o")
    for missing in ('Digest realm="r"', 'Digest nonce="n"'):
        with pytest.raises(MalformedValue):
            digest.parse_challenge(missing)


@pytest.mark.parametrize("qop", ['qop="auth", ', 'qop="auth-int,auth", ', ""])
@pytest.mark.parametrize("realm", ["example.com", 'a \\"b\\" \\\\ c'])
def test_an_answer_is_what_the_server_expects(qop, realm):
    challenge = digest.parse_challenge(f'Digest {qop}realm="{realm}", nonce="n1", opaque="o", algorithm=md5')
    value = digest.answer(challenge, "INVITE", "sip:6002@example.com", "6001", "secret", 2, "c1")
    credentials = digest.parse_credentials(value)
    assert (credentials.realm, credentials.nonce, credentials.opaque) == (challenge.realm, "n1", "o")
    assert (credentials.qop, credentials.nc, credentials.cnonce) == (
        ("auth", "00000002", "c1") if qop else ("", "", "")
    )
    secret = digest.ha1("6001", challenge.realm, "secret")
    assert digest.expected_response(secret, "INVITE", credentials) == credentials.response


@pytest.mark.parametrize("text", ["algorithm=SHA-512", "algorithm=SHA-256-sess", 'qop="auth-conf"', "algorithm=MD5-sess"])
def test_a_challenge_that_we_cannot_answer(text):
    challenge = digest.parse_challenge(f'Digest realm="r", nonce="n", {text}')
    with pytest.raises(MalformedValue):
        digest.answer(challenge, "INVITE", "sip:a@example.com", "6001", "secret", 1, "c1")


def test_a_name_outside_utf_8_is_hashed_as_its_bytes():
    assert digest.ha1("caf\udce9", "r", "p") != digest.ha1("café", "r", "p")
