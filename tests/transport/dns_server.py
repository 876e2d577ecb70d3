"""A DNS server of the tests' own, on real sockets: twisted.names with a zone in memory, in a process of its own where the
server under test is one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.names import dns, server
from twisted.names.authority import FileAuthority

Zone = Mapping[str, Sequence[Sequence[Any]]]
"""Name → records: `["A", "192.0.2.1"]`, `["SRV", priority, weight, port, target]`,
`["NAPTR", order, preference, flags, service, replacement]`, `["CNAME", name]`."""
TTL: Final = 2


def _record(kind: str, *values: Any) -> Any:
    if kind == "A":
        return dns.Record_A(values[0], TTL)
    if kind == "AAAA":
        return dns.Record_AAAA(values[0], TTL)
    if kind == "SRV":
        priority, weight, port, target = values
        return dns.Record_SRV(priority, weight, port, target.rstrip(".").encode(), ttl=TTL)
    if kind == "CNAME":
        return dns.Record_CNAME(values[0], TTL)
    order, preference, flags, service, replacement = values
    return dns.Record_NAPTR(order, preference, flags.encode(), service.encode(), b"", replacement.encode(), ttl=TTL)


class Authority(FileAuthority):
    """Answers for `example.net` and all that is below it."""

    def __init__(self, zone: Zone) -> None:
        super().__init__("")
        soa = dns.Record_SOA(b"ns.example.net", b"admin.example.net", 1, minimum=TTL, ttl=TTL)
        self.soa = (b"example.net", soa)
        self.records = {b"example.net": [soa]}
        for name, records in zone.items():
            self.records.setdefault(name.encode(), []).extend(_record(*record) for record in records)

    def loadFile(self, filename: object) -> None:
        return


def factory(zone: Zone) -> server.DNSServerFactory:
    return server.DNSServerFactory(authorities=[Authority(zone)])


class DnsProcess:
    """The server in a process of its own."""

    def __init__(self, directory: Path, host: str, port: int, zone: Zone) -> None:
        path = directory / "zone.json"
        path.write_text(json.dumps(zone))
        self.address = f"{host}:{port}"
        self._process = subprocess.Popen(
            [sys.executable, __file__, host, str(port), str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line == b"ready\n", line + self._process.stdout.read()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=5)


def main() -> None:
    from twisted.internet import reactor

    host, port, path = sys.argv[1:]
    made = factory(json.loads(Path(path).read_text()))
    running: Any = reactor
    running.listenUDP(int(port), dns.DNSDatagramProtocol(made), host)
    running.listenTCP(int(port), made, interface=host)
    print("ready", flush=True)
    running.run()


if __name__ == "__main__":
    main()
