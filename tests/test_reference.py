"""The parts of the reference that b2bua/config/README.md does not exercise; the whole is compared in test_documentation.py."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from b2bua.config.addresses import Link, Listen
from b2bua.config.settings import FIELDS, Settings
from b2bua.config.sources import load_settings
from b2bua.reference import AT_RUN_TIME, _bounds, meanings, range_of, written


@pytest.mark.parametrize(
    ("meta", "text"),
    [
        (msgspec.Meta(ge=1), "1 or more"),
        (msgspec.Meta(ge=0, le=7), "0 to 7"),
        (msgspec.Meta(gt=0, le=60), "above 0, at most 60"),
        (msgspec.Meta(gt=0), "above 0"),
    ],
)
def test_bounds(meta, text):
    assert _bounds(meta) == text


def test_every_setting_has_a_range_and_a_sentence():
    assert [key for key, text in meanings() if text.endswith(".") and "|" not in text] == list(FIELDS)
    assert all(range_of(key) for key in FIELDS)
    assert set(FIELDS) >= AT_RUN_TIME


@pytest.mark.parametrize(
    "changed",
    [
        {"http": ("::1", 0)},
        {"listen": (Listen("udp", "::", 5060, ("2001:db8::1", 5070)),)},
        {"domain": "example.com", "trace_secrets": True, "nonce_lifetime": 0.5, "features": ()},
        {"users": Path('a "b".csv'), "feature_directory": Path("Ω")},
        {"challenge": {"BYE": "407"}, "user_challenge": {"6003": {"re-INVITE": "401", "INFO": "none"}}},
        {"entities": {"out": {"address": "192.0.2.80:5070", "numbers": ("0", "+49"), "trusted": True}}},
        {"links": (Link("a", Listen("udp", "::1", 1), ("::1", 2)), Link("b", Listen("tls", "127.0.0.1", 1), ("a.b", 2), True))},
        {"user_sequences": {"6001": {"origination": ("cm",)}}, "dial_patterns": {"a": {"pattern": "0", "policies": ()}}},
        {"challenge": {"BYE": "407"}, "user_digest_algorithms": {"a.b": ("MD5",), "6001": ("SHA-256", "MD5")}},
    ],
)
def test_what_is_written_reads_back(tmp_path, changed):
    settings = Settings(**changed)
    lines = [f"{key} = {written(key, getattr(settings, key))}\n" for key in FIELDS if getattr(settings, key) is not None]
    (tmp_path / "lab.toml").write_text("".join(lines), encoding="utf-8")
    assert load_settings(tmp_path / "lab.toml", {}, {}) == settings


def test_the_credentials_of_a_store_are_not_written():
    assert written("store", "redis://user:hunter2@192.0.2.1/0") == '"redis://192.0.2.1/0"'
