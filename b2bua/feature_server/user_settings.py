"""What users have switched on and chosen: where their calls are forwarded to, whether they want to be disturbed.

A feature names its settings in `Feature.settings`. They are changed by feature codes, through `put`, and by `b2bua user set`,
of which `take` hears. Where there is a store that outlives the process they do, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Final

from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import parse_uri
from b2bua.store.interface import Records
from b2bua.store.records import BadRecord
from b2bua.store.setting_record import SETTING, SettingRecord, decode_setting, encode_setting, setting_key

LONGEST: Final = 1024
"""Characters of a value: as much as a handful of URIs."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
PICKUP_GROUP: Final = "pickup_group"
"""The setting of users who may answer each other's calls: Session Manager shows them each other's lamps whole."""
Changed = Callable[[str, str, str], None]
"""`changed(user, name, value)`: this user's setting has another value now, "" where it is not set any more."""
Kept = Callable[[bool], None]
"""Called once, when the change is committed (True) or could not be (False)."""


class UserSettings:
    """All settings of the users of one domain, in memory; `records` is where they are kept, None: nowhere."""

    def __init__(self, domain: str, records: Records | None = None, defaults: Mapping[str, str] | None = None) -> None:
        self._domain = domain.lower()
        self._records = records
        self._defaults = dict(defaults or {})
        self._values: dict[tuple[str, str], str] = {}
        """By user and name."""
        self._unwritten: dict[tuple[str, str], int] = {}
        """Our own changes whose commit is not reported yet: what another process wrote before is older."""
        self._watchers: list[Changed] = []
        if records is not None:
            self._values = self._read(records.records(SETTING))

    def value(self, party: str, name: str) -> str:
        """The setting of this address of record, else the default for everybody, "" where there is neither; who is no user
        of the domain has none."""
        if not self._values and not self._defaults:
            return ""
        user = self.user_of(party)
        if user is None:
            return ""
        own = self._values.get((user, name))
        return self._defaults.get(name, "") if own is None else own

    def shared(self, name: str, user: str, other: str) -> bool:
        """Whether two users have this setting, and the same value of it."""
        value = self.value(f"sip:{user}@{self._domain}", name)
        return value != "" and value == self.value(f"sip:{other}@{self._domain}", name)

    def number(self, party: str, name: str, usual: int) -> int:
        """The same for a whole number; `usual` where nobody has set one."""
        value = self.value(party, name)
        return int(value) if value.isascii() and value.isdigit() else usual

    def names(self) -> list[str]:
        """The users who have set anything."""
        return sorted({user for user, _ in self._values})

    def of(self, user: str) -> dict[str, str]:
        """What this user has set, by name."""
        return {name: value for (known, name), value in sorted(self._values.items()) if known == user}

    def put(self, user: str, name: str, value: str, kept: Kept | None = None) -> None:
        """Change a setting; "" takes it back, and the default counts again. It counts at once; `kept` says when it outlives
        us. ValueError for what no setting may be."""
        check_text(name, value)
        where = (user, name)
        before = self._values.get(where, "")
        if value:
            self._values[where] = value
        else:
            self._values.pop(where, None)
        records = self._records
        if records is None:
            if kept is not None:
                kept(True)
        else:
            self._unwritten[where] = self._unwritten.get(where, 0) + 1
            written = partial(self._written, where, kept)
            if value:
                record = SettingRecord(user, name, value)
                records.keep(SETTING, record.key, encode_setting(record), inf, written)
            else:
                records.drop(SETTING, setting_key(user, name), written)
        if value != before:
            self._tell(user, name, value)

    def take(self, found: Sequence[tuple[str, str]]) -> None:
        """From the store: all records as they are now, another process having changed some."""
        values = self._read(found)
        for where in self._unwritten:
            if where in self._values:
                values[where] = self._values[where]
            else:
                values.pop(where, None)
        before, self._values = self._values, values
        for where in sorted(before.keys() | values.keys()):
            if before.get(where) != values.get(where):
                self._tell(*where, values.get(where, ""))

    def follow(self, defaults: Mapping[str, str]) -> None:
        """Go on with these defaults."""
        self._defaults = dict(defaults)

    def watch(self, changed: Changed) -> None:
        """Tell of each change from now on, whoever made it; not of defaults."""
        self._watchers.append(changed)

    def user_of(self, party: str) -> str | None:
        """The user of an address of record, None for a stranger's."""
        try:
            uri = parse_uri(party)
        except MalformedValue:
            return None
        return uri.username if uri.user and uri.bare_host == self._domain else None

    def _tell(self, user: str, name: str, value: str) -> None:
        for changed in self._watchers:
            changed(user, name, value)

    def _written(self, where: tuple[str, str], kept: Kept | None, error: Exception | None) -> None:
        """One that failed is owed by the store: it stays newer than what is read there."""
        if error is None:
            left = self._unwritten.get(where, 0) - 1
            if left > 0:
                self._unwritten[where] = left
            else:
                self._unwritten.pop(where, None)
        if kept is not None:
            kept(error is None)

    def _read(self, found: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        values = {}
        for key, text in found:
            try:
                record = decode_setting(text)
                if record.key != key:
                    raise BadRecord(f"the record is of {record.key!r}")
            except BadRecord as error:
                assert self._records is not None, "they came from there"
                self._records.set_aside(SETTING, key, str(error))
            else:
                values[record.user, record.name] = record.value
        return values


def check_text(name: str, value: str) -> None:
    """ValueError for what no setting may be, whatever its feature says."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a setting")
    if len(value) > LONGEST or not value.isprintable():
        raise ValueError(f"a value is printable and has at most {LONGEST} characters")
