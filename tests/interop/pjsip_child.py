"""The process of one PJSIP phone: commands as JSON lines on standard input, answers on standard output.

`{"id": 1, "verb": "hold", …}` is answered by `{"id": 1, "ok": true, "data": …}` or `{"id": 1, "ok": false, "error": "…"}`.
The first line is the set-up (see `Phone.__init__`). It ends at the end of its input, and by itself after `LIFE_SECONDS`:
whatever happens to the test, no phone stays behind. PJSIP runs in this one thread; it never answers a call by itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable
from typing import Any, Final

import pjsua2 as pj

LIFE_SECONDS: Final = 240
POLL_MS: Final = 5
FEED_TURNS: Final = 4
INVALID_OPERATION: Final = 70013  # PJ_EINVALIDOP

STATES: Final = {
    pj.PJSIP_INV_STATE_NULL: "null",
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "early",
    pj.PJSIP_INV_STATE_CONNECTING: "connecting",
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "disconnected",
}
MEDIA: Final = {
    pj.PJSUA_CALL_MEDIA_NONE: "none",
    pj.PJSUA_CALL_MEDIA_ACTIVE: "active",
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "local hold",
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote hold",
    pj.PJSUA_CALL_MEDIA_ERROR: "error",
}
RELIABLE: Final = {
    "none": pj.PJSUA_100REL_NOT_USED,
    "optional": pj.PJSUA_100REL_OPTIONAL,
    "mandatory": pj.PJSUA_100REL_MANDATORY,
}
TRANSPORTS: Final = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}

Data = dict[str, Any]


class Refused(Exception):
    """A command that makes no sense now; the text goes to whoever gave it."""


class Call(pj.Call):
    """One call. Its last state is kept, as PJSIP forgets a call once it has ended."""

    def __init__(self, phone: Phone, number: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, number)
        self._phone = phone
        self.answered = 0
        """200s to requests of ours."""
        self.transfers: list[str] = []
        """What the NOTIFYs of our REFERs said."""
        self.last: Data = {"state": "incoming" if number != pj.PJSUA_INVALID_ID else "null"}

    def onCallState(self, parameters: pj.OnCallStateParam) -> None:
        info = self.getInfo()
        self.last = {
            "state": STATES.get(info.state, str(info.state)),
            "status": int(info.lastStatusCode),
            "reason": info.lastReason,
            "call_id": info.callIdString,
        }

    def onCallTransferStatus(self, parameters: pj.OnCallTransferStatusParam) -> None:
        self.transfers.append(f"{int(parameters.statusCode)}{' final' if parameters.finalNotify else ''}")

    def onCallTsxState(self, parameters: pj.OnCallTsxStateParam) -> None:
        event = parameters.e.body.tsxState
        ours = event.tsx.role == pj.PJSIP_ROLE_UAC
        if ours and event.tsx.statusCode == 200 and event.type == pj.PJSIP_EVENT_RX_MSG and event.tsx.method != "ACK":
            self.answered += 1

    def feed(self) -> None:
        """The tone goes out wherever the call's direction lets it.

        Not in `onCallMediaState`: there a stream that is made anew may be connected at its old place, and stays silent.
        """
        if self.last["state"] != "confirmed" or not self.hasMedia():
            return
        info = self.getInfo()  # kept: what is read of it lies in its memory
        for media in info.media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.audioConfSlot not in (pj.PJSUA_INVALID_ID, *self._fed()):
                stream = self.getAudioMedia(media.index)
                self._phone.tone.startTransmit(stream)
                stream.startTransmit(self._phone.ear)

    def _fed(self) -> list[int]:
        port = self._phone.tone.getPortInfo()
        return list(port.listeners)

    def report(self) -> Data:
        """Its state; of its one stream the status and the RTP packets received and sent."""
        if self.last["state"] == "disconnected":
            return self.last
        info = self.getInfo()
        streams = [media for media in info.media if media.type == pj.PJMEDIA_TYPE_AUDIO]
        found = self.last | {"state": STATES.get(info.state, str(info.state)), "call_id": info.callIdString}
        if streams:
            found["media"] = MEDIA[streams[0].status]
            if self.hasMedia():
                rtcp = self.getStreamStat(streams[0].index).rtcp
                found |= {"received": int(rtcp.rxStat.pkt), "sent": int(rtcp.txStat.pkt)}
        return found


class Contact(pj.Buddy):
    """Somebody whose presence it watches."""

    def report(self) -> Data:
        info = self.getInfo()  # kept: what is read of it lies in its memory
        status = info.presStatus
        return {"online": status.status == pj.PJSUA_BUDDY_STATUS_ONLINE, "activity": int(status.activity), "note": status.note}


class Account(pj.Account):
    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self._phone = phone
        self.messages = ""
        """The last NOTIFY of its mailbox."""
        self.status = 0
        self.registrations = 0
        """200s to REGISTER."""

    def onRegState(self, parameters: pj.OnRegStateParam) -> None:
        self.status = int(parameters.code)
        self.registrations += self.status == 200

    def onMwiInfo(self, parameters: pj.OnMwiInfoParam) -> None:
        self.messages = parameters.rdata.wholeMsg

    def onIncomingCall(self, parameters: pj.OnIncomingCallParam) -> None:
        call = Call(self._phone, parameters.callId)
        self._phone.calls.append(call)
        call.answer(_with_status(180))


class Phone:
    """The library, one account, and the calls so far, oldest first."""

    def __init__(self, setup: Data) -> None:
        """`host`, `port`: where it listens; `transport`: `udp`, `tcp` or `tls`; `server`: HOST:PORT; `domain`, `user`,
        `password`; `rtp`: the first of its media ports; `log`, `heard`: files; `timer`: seconds of its session timers, 0 = none;
        `reliable`: `none`, `optional`, `mandatory`; `ca`, `certificate`, `key`: files for TLS, "" for none;
        `events`: whether it asks for its messages and publishes its presence."""
        self.calls: list[Call] = []
        self._contacts: dict[str, Contact] = {}
        self._turns = 0
        self._endpoint = pj.Endpoint()
        self._endpoint.libCreate()
        self._endpoint.libInit(_endpoint_config(setup["log"]))
        transport = pj.TransportConfig()
        transport.port, transport.boundAddress = setup["port"], setup["host"]
        transport.tlsConfig.CaListFile = setup["ca"]
        transport.tlsConfig.certFile, transport.tlsConfig.privKeyFile = setup["certificate"], setup["key"]
        transport.tlsConfig.verifyServer = True
        self._endpoint.transportCreate(TRANSPORTS[setup["transport"]], transport)
        self._endpoint.libStart()
        self._endpoint.audDevManager().setNullDev()
        for codec in self._endpoint.codecEnum2():
            self._endpoint.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMU/") else 0)
        self.tone = _tone()
        self.ear = pj.AudioMediaRecorder()
        """What all calls say, in a file."""
        self.ear.createRecorder(setup["heard"])
        self.account = Account(self)
        self.account.create(_account_config(setup))

    def run_once(self) -> None:
        self._endpoint.libHandleEvents(POLL_MS)
        self._turns += 1
        if self._turns % FEED_TURNS == 0:
            for call in self.calls:
                call.feed()

    def close(self) -> None:
        self._endpoint.libDestroy()

    # -- verbs -------------------------------------------------------------------------------------------------

    def do(self, verb: str, arguments: Data) -> Any:
        """Refused or pj.Error when it cannot be done."""
        verbs: dict[str, Callable[..., Any]] = {
            "registration": lambda: self.account.status,
            "registrations": lambda: self.account.registrations,
            "dial": self._dial,
            "calls": lambda: [call.report() for call in self.calls],
            "answer": lambda status=200, call=None: self._call(call).answer(_with_status(status)),
            "hold": lambda call=None: self._call(call).setHold(pj.CallOpParam(True)),
            "transfer": lambda uri, call=None: self._call(call).xfer(uri, pj.CallOpParam(True)),
            "transfer_to": lambda call, other: self._call(call).xferReplaces(self._call(other), pj.CallOpParam(True)),
            "transfers": lambda call: self.calls[call].transfers,
            "hold_or_not": self._hold_or_not,
            "resume": lambda call=None: self._call(call).reinvite(_unhold()),
            "answered": lambda: self._call().answered,
            "refresh": lambda: self._call().update(pj.CallOpParam(True)),
            "ask": lambda method: self._call().sendRequest(_asking(method)),
            "hangup": lambda call=None: self._call(call).hangup(pj.CallOpParam(True)),
            "watch": self._watch,
            "contact": lambda uri: self._contacts[uri].report(),
            "presence": self._say,
            "messages": lambda: self.account.messages,
            "clear": self._clear,
        }
        if verb not in verbs:
            raise Refused(f"no such verb: {verb}")
        return verbs[verb](**arguments)

    def _dial(self, uri: str) -> None:
        call = Call(self)
        self.calls.append(call)
        call.makeCall(uri, pj.CallOpParam(True))

    def _watch(self, uri: str) -> None:
        config = pj.BuddyConfig()
        config.uri, config.subscribe = uri, True
        self._contacts[uri] = Contact()
        self._contacts[uri].create(self.account, config)

    def _say(self, online: bool, busy: bool) -> None:
        """Publish its own presence."""
        status = pj.PresenceStatus()
        status.status = pj.PJSUA_BUDDY_STATUS_ONLINE if online else pj.PJSUA_BUDDY_STATUS_OFFLINE
        status.activity = pj.PJRPID_ACTIVITY_BUSY if busy else pj.PJRPID_ACTIVITY_UNKNOWN
        status.note = "In a meeting" if busy else ""
        self.account.setOnlineStatus(status)

    def _hold_or_not(self) -> bool:
        """Hold; False when PJSIP would not, as a re-INVITE is already under way."""
        try:
            self._call().setHold(pj.CallOpParam(True))
        except pj.Error as error:
            if error.status == INVALID_OPERATION:
                return False
            raise
        return True

    def _clear(self) -> None:
        """End all calls."""
        self._endpoint.hangupAllCalls()

    def _call(self, number: int | None = None) -> Call:
        """The one that stands, or of several the one with this number, counted from the first of its life."""
        if number is not None:
            return self.calls[number]
        standing = [call for call in self.calls if call.last["state"] != "disconnected"]
        if len(standing) != 1:
            raise Refused(f"{len(standing)} calls stand")
        return standing[0]


def _endpoint_config(log: str) -> pj.EpConfig:
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.userAgent = "PJSIP"
    config.logConfig.filename = log
    config.logConfig.consoleLevel = 0
    config.logConfig.level = 4
    config.logConfig.msgLogging = 0  # the server's trace has the messages, without credentials
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.ecTailLen = 0
    config.medConfig.noVad = True
    config.medConfig.sndAutoCloseTime = -1  # the clock of the tone never stops
    return config


def _account_config(setup: Data) -> pj.AccountConfig:
    config = pj.AccountConfig()
    config.idUri = f"sip:{setup['user']}@{setup['domain']}"
    config.regConfig.registrarUri = f"sip:{setup['domain']};transport={setup['transport']}"
    config.regConfig.timeoutSec = 300
    # A connection that breaks is made anew, and the phone registers by it, after a second.
    config.regConfig.firstRetryIntervalSec = config.regConfig.retryIntervalSec = 1
    config.regConfig.randomRetryIntervalSec = 0
    config.sipConfig.proxies.append(f"sip:{setup['server']};transport={setup['transport']};lr")
    config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", setup["user"], 0, setup["password"]))
    config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS if setup["timer"] else pj.PJSUA_SIP_TIMER_INACTIVE
    config.callConfig.prackUse = RELIABLE[setup["reliable"]]
    if setup["timer"]:
        config.callConfig.timerSessExpiresSec = setup["timer"]
        config.callConfig.timerMinSESec = setup["timer"]
    config.mediaConfig.transportConfig.boundAddress = setup["host"]
    config.mediaConfig.transportConfig.port = setup["rtp"]
    config.natConfig.udpKaIntervalSec = 0
    config.mwiConfig.enabled = config.presConfig.publishEnabled = setup["events"]
    return config


def _tone() -> pj.ToneGenerator:
    tone = pj.ToneDesc()
    tone.freq1, tone.on_msec, tone.off_msec = 440, 1000, 0
    tones = pj.ToneDescVector()
    tones.append(tone)
    generator = pj.ToneGenerator()
    generator.createToneGenerator(8000)
    generator.play(tones, True)
    return generator


def _asking(method: str) -> pj.CallSendRequestParam:
    parameters = pj.CallSendRequestParam()
    parameters.method = method
    return parameters


def _with_status(status: int) -> pj.CallOpParam:
    parameters = pj.CallOpParam()
    parameters.statusCode = status
    return parameters


def _unhold() -> pj.CallOpParam:
    parameters = pj.CallOpParam(True)
    parameters.opt.flag = pj.PJSUA_CALL_UNHOLD
    return parameters


def main() -> None:
    signal.alarm(LIFE_SECONDS)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is no answer
    lines = iter(_Lines())
    phone = Phone(json.loads(next(line for line in lines if line)))
    answers.write('{"id": 0, "ok": true}\n')
    answers.flush()
    for line in lines:
        if not line:
            phone.run_once()
            continue
        asked = json.loads(line)
        answer: Data = {"id": asked.pop("id"), "ok": True}
        try:
            answer["data"] = phone.do(asked.pop("verb"), asked)
        except (Refused, pj.Error) as error:
            answer |= {"ok": False, "error": error.info() if isinstance(error, pj.Error) else str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    # The destructors of the bindings would run after libDestroy and crash: what has to be told has been told.
    phone.close()
    os._exit(0)


class _Lines:
    """The lines of standard input until its end, and "" whenever there is none yet."""

    def __iter__(self):
        buffer = b""
        while True:
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                yield line.decode()
            if select.select([0], [], [], 0)[0]:
                read = os.read(0, 65536)
                if not read:
                    return
                buffer += read
            else:
                yield ""


if __name__ == "__main__":
    main()
