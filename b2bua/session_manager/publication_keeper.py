"""Keeps a record of each publication whose publisher outlives this process: a phone, or a feature server elsewhere.

What the feature server in this process published is made anew of its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from b2bua.session_manager.event_packages.package import EventPackage
from b2bua.session_manager.publication import Publication
from b2bua.sip.errors import SipError
from b2bua.store.interface import Done, Records
from b2bua.store.publication_record import PUBLICATION, PUBLICATION_VERSION, PublicationRecord
from b2bua.store.record_text import decode_record, encode_record
from b2bua.store.records import BadRecord
from b2bua.transaction.timers import Timers


class PublicationKeeper:
    """The records of one compositor. `wall` gives Unix seconds."""

    def __init__(
        self, records: Records, packages: Mapping[str, EventPackage], timers: Timers, wall: Callable[[], float]
    ) -> None:
        self._records = records
        self._packages = packages
        self._timers = timers
        self._wall = wall

    def keep(self, publication: Publication, done: Done | None = None) -> None:
        """Write what the publication is now."""
        package, aor = publication.resource
        document = self._packages[package].encode(publication.value, 0).decode()
        expires_at = self._wall() + publication.expires_at - self._timers.now()
        record = PublicationRecord(
            publication.number, package, aor, publication.link, publication.tag, document, publication.call, expires_at
        )
        self._records.keep(PUBLICATION, str(publication.number), encode_record(record), expires_at, done)

    def drop(self, publication: Publication, done: Done | None = None) -> None:
        self._records.drop(PUBLICATION, str(publication.number), done)

    def load(self) -> Iterator[tuple[PublicationRecord, Any, float]]:
        """Each record that has not expired, with its state and the seconds it has left; a bad one is set aside."""
        for key, text in self._records.records(PUBLICATION):
            try:
                record = decode_record(text, PublicationRecord, PUBLICATION_VERSION)
                if str(record.number) != key:
                    raise BadRecord(f"the record is of {record.number}")
                if record.package not in self._packages:
                    raise BadRecord("no such event package")
                value = self._packages[record.package].parse(record.document.encode())
            except (BadRecord, SipError, UnicodeError) as error:
                self._records.set_aside(PUBLICATION, key, str(error))
                continue
            seconds = record.expires_at - self._wall()
            if seconds > 0:
                yield record, value, seconds
