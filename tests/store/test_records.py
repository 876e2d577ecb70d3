from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.store.records import BadRecord, BindingRecord, User, decode_binding, encode_binding

_text = st.text(st.characters(exclude_categories=()))  # Lone surrogates too: bytes that were no UTF-8 come as these.


@given(
    st.builds(
        BindingRecord,
        aor=_text, contact=_text, uri=_text, call_id=_text, cseq=st.integers(0, 2**32),
        expires_at=st.floats(allow_nan=False, allow_infinity=False), flow_transport=_text, flow_local=_text,
        flow_remote=_text, nat=st.booleans(), instance=_text, reg_id=st.integers(0, 2**31),
        path=st.lists(_text).map(tuple), user_agent=_text, version=st.just(1),
    )
)  # fmt: skip
def test_a_binding_comes_back_as_it_went(record):
    assert decode_binding(encode_binding(record)) == record


@pytest.mark.parametrize(
    "text",
    ["", "{", "5", "null", "[]", "{}", '{"version": 1}', b"\xff", "[" * 100_000],
)
def test_what_is_no_record_is_a_bad_record(text):
    with pytest.raises(BadRecord):
        decode_binding(text)


@pytest.mark.parametrize("change", [{"version": 2}, {"version": None}, {"cseq": "2"}, {"path": 5}, {"aor": None}])
def test_a_wrong_field_is_a_bad_record(binding, change):
    values = json.loads(encode_binding(binding())) | change
    with pytest.raises(BadRecord):
        decode_binding(json.dumps(values))


def test_a_user_does_not_print_the_ha1():
    assert "0123" not in repr(User("6001", "example.com", {"MD5": "0123" * 8}))
