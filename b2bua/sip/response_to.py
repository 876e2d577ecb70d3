"""From a request to the response that answers it (RFC 3261 §8.2.6)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter

from b2bua.sip.message import Request, Response, new_response
from b2bua.sip.reason import REASON


def response_to(request: Request, status: int, reason: str = "", tag: str = "") -> Response:
    """A response without a body to a request: Via, From, To, Call-ID, CSeq copied (RFC 3261 §8.2.6.2).

    `tag` goes into To where the request's To has none; a 100 takes none. What a broken request lacks, its response lacks
    too: that tells its sender.
    """
    asked, found = request.names, request.lines
    copied, pick, to = _copied(tuple(asked))
    names, lines = copied[:], [*pick(found), "Content-Length: 0"]
    known_to = request._to
    if tag and to >= 0 and not (known_to or request.to).tag:
        lines[to] = f"{lines[to].rstrip()};tag={tag}"
        known_to = None  # read anew by whoever asks: hardly anybody does
    response = new_response(Response)
    response.status = status
    response.reason = reason or REASON.get(status, "Unknown")
    response.names = names
    response.lines = lines
    response._body = b""
    response.content = response.why = None
    response.call = request.call
    response._via = request._via
    response._call_id = request._call_id
    response._cseq = request._cseq
    response._cseq_method = request._cseq_method
    response._from = request._from
    response._to = known_to
    if status == 100 and "Timestamp" in asked:  # RFC 3261 §8.2.6.1
        names.insert(-1, "Timestamp")
        lines.insert(-1, found[asked.index("Timestamp")])
    return response


@lru_cache(maxsize=256)
def _copied(names: tuple[str, ...]) -> tuple[list[str], Callable[[list[str]], tuple[str, ...]], int]:
    """For a request with these header names: the names of its response, what picks their lines but the last, and where To
    is (−1: nowhere).

    Cached: a phone sends its headers always in the same few orders; names are few and short but for what strangers make
    up, and of that a message holds no more than 64 KB.
    """
    found = [index for index, name in enumerate(names) if name == "Via"]
    found += [names.index(name) for name in ("From", "To", "Call-ID", "CSeq") if name in names]
    copied = [names[index] for index in found]
    to = copied.index("To") if "To" in copied else -1
    if len(found) < 2:  # itemgetter would give a bare line
        return [*copied, "Content-Length"], lambda lines: tuple(lines[index] for index in found), to
    return [*copied, "Content-Length"], itemgetter(*found), to
