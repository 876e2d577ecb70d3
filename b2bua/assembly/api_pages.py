"""The pages of the API that a whole server serves, by name; what each path is stands in `http/api_routes.py`."""

from __future__ import annotations

from functools import partial

from b2bua.assembly.console_tables import console_tables
from b2bua.assembly.domain_users import DomainUsers, NotOurs
from b2bua.assembly.shown import Shown
from b2bua.cdr.file import CdrFile
from b2bua.cdr.search import search
from b2bua.drain import Drain
from b2bua.feature_server.control import control_of
from b2bua.http.api_bans import BansPage
from b2bua.http.api_calls import CallsPage
from b2bua.http.api_cdr import CdrPage, Search
from b2bua.http.api_control import DrainPage, ReloadPage
from b2bua.http.api_faults import FaultsPage
from b2bua.http.api_mailboxes import MailboxesPage
from b2bua.http.api_table import TablePage
from b2bua.http.api_users import UsersPage
from b2bua.http.site import Pages


def api_pages(server: Shown, drain: Drain) -> Pages:
    """Of a server whose faults are installed."""
    return {
        b"drain": DrainPage(drain),
        b"reload": ReloadPage(server.reload.run),
        b"bans": BansPage(server.bans),
        b"faults": FaultsPage(server.faults),
        b"calls": CallsPage(control_of(server.feature_server)),
        b"cdr": cdr_page(server.cdr),
        b"users": UsersPage(DomainUsers(server.settings, server.store, server.file_users, server.users), NotOurs),
        b"mailboxes": MailboxesPage(server.events.mailboxes, lambda name: server.store.user(name) is not None),
        **{name.encode(): TablePage(name, read) for name, read in console_tables(server).items()},
    }


def cdr_page(file: CdrFile | None) -> CdrPage:
    """Of the file that a reload may exchange; None: there is no feature server in this process."""

    def kept() -> Search | None:
        path = None if file is None else file.path
        return None if path is None else partial(search, path)

    return CdrPage(kept)
