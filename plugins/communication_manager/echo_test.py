"""Echo test: whoever dials its code hears what they say, so that one phone alone can be tested."""

from __future__ import annotations

from b2bua.feature_server.call import Call
from b2bua.feature_server.feature import Feature
from b2bua.sip.message import Request


class EchoTest(Feature):
    """Ends when the caller hangs up."""

    codes = {"echo_test": "*43"}  # noqa: RUF012  # as the contract has it: nobody writes to it

    def code_dialled(self, call: Call, name: str, argument: str, invite: Request) -> Request:
        call.answer("echo")
        return invite
