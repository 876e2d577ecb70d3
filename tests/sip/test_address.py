from __future__ import annotations

import pytest

from b2bua.sip.address import Address, parse_address, quote_string, split_parameters, split_unquoted, unquote_string
from b2bua.sip.errors import MalformedValue


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ("<sip:6001@example.com>", "", "sip:6001@example.com", ""),
        ('"A. Bell" <sip:6001@example.com>;tag=x1', '"A. Bell"', "sip:6001@example.com", "x1"),
        ("A Bell <sip:6001@example.com>;tag=x1", "A Bell", "sip:6001@example.com", "x1"),
        ("caller<sip:6001@example.com>;tag=323", "caller", "sip:6001@example.com", "323"),
        ("sip:6001@example.com;tag=x1", "", "sip:6001@example.com", "x1"),
        ("sip:6001@example.com ;   tag    = 19", "", "sip:6001@example.com", "19"),
        (r'"J \\\"" <sip:j@example.com> ; TAG = 98', r'"J \\\""', "sip:j@example.com", "98"),
        ('"Bell, A; <x>" < sip:6001@example.com >;tag=1', '"Bell, A; <x>"', "sip:6001@example.com", "1"),
        ("<sip:6001@example.com;tag=no>", "", "sip:6001@example.com;tag=no", ""),
        ("<sip:6001@example.com;lr>;x=y;tag=1;z", "", "sip:6001@example.com;lr", "1"),
        ('<sip:6001@example.com>;x="tag=no;a,b";tag=1', "", "sip:6001@example.com", "1"),
        ("~`!%.- a <sip:6001@example.com>", "~`!%.- a", "sip:6001@example.com", ""),
        ("Жук <sip:6001@example.com>;tag=1", "Жук", "sip:6001@example.com", "1"),
        ("*", "", "*", ""),
        ("<isbn:2983792873>", "", "isbn:2983792873", ""),
        ("tel:+15551234;tag=1", "", "tel:+15551234", "1"),
    ],
)
def test_forms(text, display, uri, tag):
    address = parse_address(text)
    assert (address.display, address.uri, address.tag) == (display, uri, tag)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", " ", '"Mr. J <sip:a@example.com>', '"A" sip:a@example.com', "<sip:a@example.com", "<>", "< >;tag=1",
     "Bell, Alexander <sip:a@example.com>;tag=43", "a;b <sip:a@example.com>", "<sip:a@example.com>x", ";tag=1",
     "sip:a@example.com?Route=%3Csip:b%3E", "sip:a,b@example.com", "<sip:a@b>;tag=1;tag=2", "<sip:a@b>;tag",
     "sip:a@b;tag=", '<sip:a@b>;x="open', 'sip:a@b>', 'x"y: sip:a@b', "sip:a b@c"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(MalformedValue):
        parse_address(text)


def test_header_parameters_are_not_uri_parameters():
    outside, inside = parse_address("sip:a@example.com;p=1"), parse_address("<sip:a@example.com;p=1>")
    assert (outside.parameter("p"), outside.parsed_uri().parameter("p")) == ("1", None)
    assert (inside.parameter("p"), inside.parsed_uri().parameter("p")) == (None, "1")


def test_parameters_are_read_without_quotes_and_case():
    address = Address("", "sip:a@b", ';Expires=60;+sip.instance="<urn:uuid:1;2>";flag;q = 0.5')
    assert address.parameter("expires") == "60"
    assert address.parameter("+sip.instance") == "<urn:uuid:1;2>"
    assert (address.parameter("flag"), address.parameter("q"), address.parameter("none")) == ("", "0.5", None)
    assert split_parameters(";;a;;") == [("a", "")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ('"a,b" <sip:x>,<sip:y,z>;p', ['"a,b" <sip:x>', "<sip:y,z>;p"]),
        (r'"a\",b" <sip:x>,c', [r'"a\",b" <sip:x>', "c"]),
    ],
)
def test_commas_in_quotes_and_brackets_do_not_split(text, parts):
    assert split_unquoted(text, ",") == parts


def test_an_open_quote_does_not_split():
    with pytest.raises(MalformedValue):
        split_unquoted('"a,b', ",")


@pytest.mark.parametrize("value", ["", "plain", 'a"b', "a\\b", '\\"', "tail\\"])
def test_quoting_is_undone(value):
    assert unquote_string(quote_string(value)) == value
