import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.media.bencode import DEEPEST, MalformedBencode, decode, encode

values = st.recursive(
    st.integers(-(10**17), 10**17) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(values)
def test_what_is_written_reads_back(value):
    assert decode(encode(value)) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    try:
        decode(data)
    except MalformedBencode:
        return


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"command": "ping"}, b"d7:command4:pinge"),
        ({"b": 1, "a": [b"x", -2]}, b"d1:al1:xi-2ee1:bi1ee"),
        ("schön", b"6:sch\xc3\xb6n"),
        ({}, b"de"),
    ],
)
def test_it_is_written_as_the_others_write_it(value, data):
    assert encode(value) == data


@pytest.mark.parametrize(
    "data",
    [b"", b"i", b"ie", b"i1", b"ixe", b"1", b"5:ab", b"-1:a", b"l", b"d", b"d1:ae", b"di1ei2ee", b"i1ei2e",
     b"99999999999999999999:a", b"l" * (DEEPEST + 2) + b"e" * (DEEPEST + 2), b"i1_0e", b"i\xc2\xb2e"],
)  # fmt: skip
def test_what_is_none(data):
    with pytest.raises(MalformedBencode):
        decode(data)


def test_what_cannot_be_said():
    with pytest.raises(TypeError):
        encode({"a": 1.5})
