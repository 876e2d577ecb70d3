"""Three scripted phones in a process of their own: 6001 calls 6002 and holds, 6003 watches; each line read is the next step.

`python -m tests.interop.scripted_call HOST PORT DOMAIN PASSWORD…`: prints what is reached (`registered`, `talking`, `held`,
`resumed`, `ended`) and reads a line before each next step, so that whoever started it sets the pace.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from b2bua.phone.agent import Identity
from b2bua.phone.call import CallState
from b2bua.phone.endpoint import Endpoint

PATIENCE = 8.0


async def reached(reactor: Any, true: Callable[[], bool], what: str) -> None:
    """Wait for it, say so, and wait for the word to go on."""
    deadline = reactor.seconds() + PATIENCE
    while not true():
        if reactor.seconds() > deadline:
            raise SystemExit(f"not {what}")
        await deferLater(reactor, 0.01)
    print(what, flush=True)
    await deferToThread(sys.stdin.readline)


async def play(reactor: Any, address: tuple[str, int], domain: str, passwords: list[str]) -> None:
    phones = [
        Endpoint(reactor, Identity(f"600{number}", domain, password), address, address[0], 440)
        for number, password in enumerate(passwords, 1)
    ]
    for phone in phones:
        phone.start()
        phone.phone.registration.register()
    await reached(reactor, lambda: all(phone.phone.registration.registered for phone in phones), "registered")
    phones[1].phone.answer_after = 0.1
    lamp = phones[2].phone.watch(phones[0].phone.aor)
    call = phones[0].phone.dial("6002")
    await reached(reactor, lambda: call.state is CallState.ESTABLISHED and lamp.active, "talking")
    call.hold()
    await reached(reactor, lambda: call.told, "held")
    call.resume()
    await reached(reactor, lambda: not call.told, "resumed")
    call.hang_up()
    await reached(reactor, lambda: call.state is CallState.ENDED, "ended")
    for phone in phones:
        phone.stop()


def main() -> None:
    from twisted.internet import reactor

    host, port, domain, *passwords = sys.argv[1:]
    running: Any = reactor
    done = Deferred.fromCoroutine(play(running, (host, int(port)), domain, passwords))
    status: list[object] = []
    done.addBoth(lambda result: (status.append(result), running.stop()))
    running.run()
    if status[0] is not None:
        sys.exit(str(status[0]))


if __name__ == "__main__":
    main()
