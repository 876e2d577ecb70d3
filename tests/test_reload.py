"""SIGHUP without a server: what is followed, what waits for a restart, and that nothing changes when anything is wrong."""

from __future__ import annotations

import pytest

from b2bua.config.settings import FIELDS, ConfigError, Settings
from b2bua.feature_server.loader import LoadError
from b2bua.reference import AT_RUN_TIME
from b2bua.reload import Reload, differing
from b2bua.store.interface import StoreError

STARTED = Settings(domain="example.com", trace=5)


class Service:
    """Stands in for the server: the settings it is told to follow, and what the sources say or raise."""

    def __init__(self) -> None:
        self.followed: list[Settings] = []
        self.said: list[tuple[str, dict[str, object]]] = []
        self.outcome: Settings | Exception = STARTED
        self.refusal: Exception | None = None
        self.seconds = 100.0
        self.reload = Reload(STARTED, self.read, self.follow, lambda: self.seconds, self)

    def read(self) -> Settings:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def follow(self, settings: Settings) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.followed.append(settings)

    def __call__(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))


@pytest.fixture
def service():
    return Service()


def test_what_can_change_is_followed(service):
    service.outcome = Settings(domain="example.com", trace=5, watchers="self", features=("hold",))
    service.seconds = 200.0
    service.reload.run()
    assert service.followed == [service.outcome] == [service.reload.settings]
    assert (service.reload.succeeded, service.reload.succeeded_at) == (True, 200.0)
    assert service.said == [("reloaded", {"changed": "watchers, features"})]


def test_what_needs_a_restart_waits_and_is_named_each_time(service):
    service.outcome = Settings(domain="other.example.com", http=("127.0.0.1", 1), trace=5, watchers="self")
    for _ in range(2):
        service.reload.run()
        assert (service.reload.settings.domain, service.reload.settings.watchers) == ("example.com", "self")
        assert service.said[-1] == ("restart_needed", {"settings": "domain, http"})
    assert service.said[2] == ("reloaded", {"changed": "no setting"})


@pytest.mark.parametrize(
    ("outcome", "refusal", "reason"),
    [
        (ConfigError("lab.toml:1: bad", "lab.toml:2: too"), None, "lab.toml:1: bad; lab.toml:2: too"),
        (PermissionError(13, "Permission denied", "lab.toml"), None, "[Errno 13] Permission denied: 'lab.toml'"),
        (STARTED, LoadError("feature 'x': no"), "features: feature 'x': no"),
        (STARTED, StoreError("users: users.csv:1: no"), "users: users.csv:1: no"),
    ],
)
def test_what_is_wrong_is_a_line_and_everything_stays(service, outcome, refusal, reason):
    service.outcome, service.refusal, service.seconds = outcome, refusal, 200.0
    service.reload.run()
    assert service.said == [("reload_failed", {"reason": reason})]
    assert (service.reload.settings, service.reload.succeeded, service.reload.succeeded_at) == (STARTED, False, 100.0)
    service.outcome, service.refusal = STARTED, None
    service.reload.run()
    assert (service.reload.succeeded, service.reload.succeeded_at) == (True, 200.0)


def test_a_mistake_of_ours_is_logged_with_its_traceback(service):
    service.refusal = ZeroDivisionError("oh")
    service.reload.run()
    assert service.said == [("reload_failed", {"exception": service.refusal})]
    assert not service.reload.succeeded


def test_keys_that_differ_stand_in_the_order_of_the_settings():
    assert differing(Settings(), Settings()) == []
    assert differing(Settings(), Settings(watchers="self", domain="x")) == ["domain", "watchers"]
    assert set(FIELDS) >= AT_RUN_TIME
