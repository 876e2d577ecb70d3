"""The hashes against published vectors, and digests by each of them against the examples of the RFCs."""

from __future__ import annotations

import hashlib

import pytest

from b2bua.sip import digest
from b2bua.sip.digest_algorithms import DIGITS, HASHES, MD5, SHA_256, SHA_512_256, STRENGTH, by_strength, missing

CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
JASON_NONCE = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK"
JASON_CNONCE = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"


def response(algorithm, user, realm, password, nonce, cnonce, uri, method="GET"):
    credentials = digest.Credentials(user, realm, nonce, uri, "", algorithm, "auth", "00000001", cnonce, "")
    secret = digest.ha1(user, realm, password, algorithm)
    return digest.expected_response(secret, method, credentials, HASHES[algorithm])


@pytest.mark.parametrize(
    ("algorithm", "text", "hexadecimal"),
    [
        (MD5, "", "d41d8cd98f00b204e9800998ecf8427e"),  # RFC 1321 §A.5
        (SHA_256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),  # RFC 8760 §2.6
        (SHA_256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),  # FIPS 180-4
        (SHA_512_256, "abc", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"),  # FIPS 180-4
    ],
)
def test_published_vectors(algorithm, text, hexadecimal):
    assert HASHES[algorithm](text) == hexadecimal


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (SHA_256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616_section_3_9_1(algorithm, expected):
    got = response(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life", NONCE, CNONCE, "/dir/index.html")
    assert got == expected


def test_the_example_of_rfc_7616_section_3_9_2():
    """The RFC's own value, ae66e67d…, was made with a SHA-512 cut short (erratum 4897); this one with SHA-512/256."""
    arguments = ("Jäsøn Doe", "api@example.org", "Secret, or not?", JASON_NONCE, JASON_CNONCE, "/doe.json")
    expected = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert response(SHA_512_256, *arguments) == expected


@pytest.mark.parametrize("algorithm", STRENGTH)
def test_the_length_is_that_of_rfc_8760(algorithm):
    assert len(HASHES[algorithm]("x")) == DIGITS[algorithm] == (32 if algorithm == MD5 else 64)
    assert HASHES[algorithm]("caf\udce9") != HASHES[algorithm]("café")


def test_the_strongest_stands_first_and_each_once():
    assert by_strength(["MD5", "SHA-512-256", "MD5", "SHA-256"]) == ("SHA-512-256", "SHA-256", "MD5")
    assert by_strength([]) == ()


def test_what_openssl_does_not_have_is_named(monkeypatch):
    assert missing(STRENGTH) == ()

    def new(name, _data=b""):
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", new)
    assert missing(STRENGTH) == ("SHA-512-256",)


@pytest.mark.parametrize("algorithm", STRENGTH)
def test_an_answer_is_what_the_server_expects(algorithm):
    text = digest.challenge_text("example.com", "n1", algorithm=algorithm)
    value = digest.answer(digest.parse_challenge(text), "INVITE", "sip:6002@example.com", "6001", "secret", 1, "c1")
    credentials = digest.parse_credentials(value)
    assert credentials.algorithm == algorithm
    secret = digest.ha1("6001", "example.com", "secret", algorithm)
    expected = digest.expected_response(secret, "INVITE", credentials, HASHES[algorithm])
    assert credentials.response == expected
