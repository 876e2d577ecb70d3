"""The record of one setting of a user, such as where calls are forwarded to: what feature codes and the command write."""

from __future__ import annotations

from typing import Final

import msgspec

from b2bua.store.record_text import decode_record, encode_record

SETTING: Final = "setting"
"""The kind of these records. Each setting is a record of its own: two processes that change two of them lose neither."""
SETTING_VERSION: Final = 1


class SettingRecord(msgspec.Struct, frozen=True):
    """One setting of one user; what is not set has no record."""

    user: str
    """The user part of the address of record."""
    name: str
    value: str
    version: int = SETTING_VERSION

    @property
    def key(self) -> str:
        """The key of its record: no name of a setting has a blank in it."""
        return setting_key(self.user, self.name)


def setting_key(user: str, name: str) -> str:
    """The key of the record of this setting."""
    return f"{name} {user}"


def encode_setting(record: SettingRecord) -> str:
    """The record as text."""
    return encode_record(record)


def decode_setting(text: str) -> SettingRecord:
    """The inverse of `encode_setting`; BadRecord for anything else, an unknown version included."""
    return decode_record(text, SettingRecord, SETTING_VERSION)
