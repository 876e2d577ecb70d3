"""RFC 4475 §3.1.1: messages that look odd and are well formed. Our own texts of what each section describes."""

from __future__ import annotations

from typing import Final

from tests.torture.case import SDP, Case, sip

WSINV = sip(
    """
    INVITE sip:bob@desk.example.com;newparam SIP/2.0
    TO :
     sip:bob@desk.example.com ;   tag    = 20040101b
    from   : "A Liddell \\\\\\\""       <sip:alice@example.com>
      ;
      tag = 77ahd9
    mAx-ForWARDs: 0071
    Call-ID: wsinv.kjh234@192.0.2.30
    Content-Length   : {length}
    cseq: 0012
      INVITE
    Via  : SIP  /   2.0
     /UDP
        192.0.2.31;branch=21hjkdsfu
    s :
    FreshHeader:   fresh value
     goes on\x20
    \toverleaf
    StrangeHeaderWithStrangeValue: ;,;,,;;,
    Content-Type: application/sdp
    Route:
     <sip:proxy.example.com;lr;other=value;flag>
    v:  SIP  / 2.0  / TCP     hop.example.com   ;
      branch  =   z9hG4bK7aa2  ,
     SIP  /    2.0   / UDP  192.0.2.32   ; branch=
     z9hG4bK7aa3
    m:"In \\\"quotes\\\"" <sip:alice@example.com> ; fresh =
          value ;
      flag ; q = 0.25
    """,
    SDP,
)
METHOD = "~strange.Method`0123'+_*%!"
INTMETH = sip(
    f"""
    {METHOD} sip:2_odd.User~(be!here)&not'x+y$/z?,/;;*:&=+also,odd~pass$(w'd)@example.com SIP/2.0
    Via: SIP/2.0/TCP host2.example.com;branch=z9hG4bK.-%41!~'`_+*
    To: "BEL:\\\x07 DEL:\\\x7f NUL:\\NULL" <sip:2_odd.User~(be!here)&not'x+y$/z?,/;;*@example.com>
    From: one~` two'+_ three*%!.- <sip:plain@example.com>;odd''~+*_!.-%="\xd0\x96\xd1\x83\xd0\xba";tag=_t~2'+`*%!-.
    Call-ID: intmeth.k%4A-!.*_+'@w`~)(><:\\/"][?}}{{
    CSeq: 246813579 {METHOD}
    Max-Forwards: 255
    oddHeader-!.%*+_`'~: \xef\xbb\xbf\xe4\xb8\xad\xe6\x96\x87
    Content-Length: 0
    """
).replace(b"NUL:\\NULL", b"NUL:\\\0")
ESC01 = sip(
    """
    INVITE sip:sips%3Abob%40example.com@example.net SIP/2.0
    To: sip:%62o%62@example.com
    From: <sip:with%20blanks%20in%20it@example.net>;tag=811
    Max-Forwards: 80
    i: esc01.1234lkjh
    CSeq: 4321 INVITE
    Via: SIP/2.0/UDP host6.example.net;branch=z9hG4bKesc01
    C: application/sdp
    Contact:
      <sip:%61lice@host6.example.net;%6C%72;p%61ram=v%61l%25%34%31>
    Content-Length: {length}
    """,
    SDP,
)
ESCNULL = sip(
    """
    REGISTER sip:example.com SIP/2.0
    To: sip:zero-%00-zero@example.com
    From: sip:zero-%00-zero@example.com;tag=55511
    Max-Forwards: 70
    Call-ID: escnull.98ujn
    CSeq: 77 REGISTER
    Via: SIP/2.0/UDP host6.example.com;branch=z9hG4bKescnull
    Contact: <sip:%00@host6.example.com>
    Contact: <sip:%00%00@host6.example.com>
    L:0
    """
)
ESC02 = sip(
    """
    OPT%49ON%53 sip:registrar.example.com SIP/2.0
    To: "%Q%46" <sip:bob@example.com>
    From: "%Q%46" <sip:bob@example.com>;tag=esc2
    Call-ID: esc02.poiu
    Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK33%zz1
    CSeq: 901 OPT%49ON%53
    Max-Forwards: 70
    Contact: <sip:first@host1.example.com>
    Cont%61ct: <sip:second@host2.example.com>
    Contact: <sip:third@host3.example.com>
    l: 0
    """
)
LWSDISP = sip(
    """
    OPTIONS sip:bob@example.com SIP/2.0
    To: sip:bob@example.com
    From: alice<sip:alice@example.com>;tag=4711
    Max-Forwards: 70
    Call-ID: lwsdisp.777@desk.example.com
    CSeq: 61 OPTIONS
    Via: SIP/2.0/UDP desk.example.com;branch=z9hG4bKlws
    l: 0
    """
)
SPELLINGS = ("v", "V", "Via", "VIA", "ViA", "via", "vIA", "V ", "v  ", "Via ", "Via \t")
LONG_VIAS = "\n".join(f"    {name}: SIP/2.0/TCP hop{n}.example.com" for n, name in enumerate(SPELLINGS * 3))
LONGREQ = sip(
    f"""
    INVITE sip:bob@example.com SIP/2.0
    To: "Bob of {"very " * 15}long name"<sip:bob@example.com:6000;a={"long" * 30}x;{"key" * 40}=v;{"flag" * 40}>
    F: sip:{"longname" * 12}@example.net;tag=9{"876" * 60}5;p{"name" * 30}=q{"value" * 25};{"flag" * 20}
    Call-ID: longreq.{"muchlonger" * 20}
    CSeq: 4040 INVITE
    Rare-{"Long-" * 30}Name: rare-{"long-" * 40}value; rare-{"long-" * 40}key = rare-{"long-" * 30}value
{LONG_VIAS}
    Via: SIP/2.0/TCP host.example.com;received=192.0.2.33;branch=far{"long" * 60}branch
    Max-Forwards: 70
    Contact: <sip:{"longname" * 12}@host6.example.net>
    Content-Type: application/sdp
    l: {{length}}
    """,
    SDP,
)
DBLREQ = sip(
    """
    REGISTER sip:example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:bob@example.com;tag=dbl1
    Max-Forwards: 8
    I: dblreq.asdf
    Contact: sip:bob@host.example.com
    CSeq: 8 REGISTER
    Via: SIP/2.0/UDP 192.0.2.34;branch=z9hG4bKdbl
    Content-Length: 0
    """
) + sip(
    """

    INVITE sip:carol@example.com SIP/2.0
    t: sip:carol@example.com
    From: sip:alice@example.net;tag=dbl2
    Max-Forwards: 8
    Call-ID: dblreq.qwer@192.0.2.35
    CSeq: 8 INVITE
    Via: SIP/2.0/UDP 192.0.2.35;branch=z9hG4bKdbl2
    Content-Type: application/sdp
    Content-Length: {length}
    """,
    SDP,
)
SEMIURI = sip(
    """
    OPTIONS sip:bob;ext=b%40example.net@example.com SIP/2.0
    To: sip:bob@example.com
    From: sip:alice@example.org;tag=semi
    Max-Forwards: 3
    Call-ID: semiuri.zxcv
    CSeq: 8 OPTIONS
    Accept: application/sdp, application/pidf+xml,
            multipart/mixed,
            message/sip, message/sipfrag
    Via: SIP/2.0/UDP 192.0.2.36;branch=z9hG4bKsemi
    l: 0
    """
)
TRANSPORTS = sip(
    """
    OPTIONS sip:bob@example.com SIP/2.0
    To: sip:bob@example.com
    From: <sip:alice@example.com>;tag=tr
    Max-Forwards: 70
    Call-ID:  transports.uiop
    Accept: application/sdp
    CSeq: 62 OPTIONS
    Via: SIP/2.0/UDP u1.example.com;branch=z9hG4bKtr1
    Via: SIP/2.0/SCTP u2.example.com;branch=z9hG4bKtr2
    Via: SIP/2.0/TLS u3.example.com;branch=z9hG4bKtr3
    Via: SIP/2.0/STRANGE u4.example.com;branch=z9hG4bKtr4
    Via: SIP/2.0/TCP u5.example.com;branch=z9hG4bKtr5
    l: 0
    """
)
PARTS = (
    b"--limit1\r\nContent-Type: text/plain\r\n\r\nHello\r\n\r\n\r\n"
    b"--limit1\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n\x30\x82\x00\x00\r\n\r\n\xff\xfe\x00\n\r\r\n--limit1--\r\n"
)
MPART01 = sip(
    """
    MESSAGE sip:bob@example.org SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.37:5070;branch=z9hG4bK-mp-1--z;rport
    Max-Forwards: 70
    Route: <sip:192.0.2.38:5080>
    Contact: <sip:alice@192.0.2.37:5070>
    To: <sip:bob@example.org>
    From: <sip:alice@example.com>;tag=mp
    Call-ID: mpart01.hjkl
    CSeq: 1 MESSAGE
    Content-Transfer-Encoding: binary
    Content-Type: multipart/mixed;boundary=limit1
    Date: Sat, 14 Nov 2009 04:44:56 GMT
    Content-Length: {length}
    """,
    PARTS,
)
UNREASON = sip(
    """
    SIP/2.0 200 = 10**2 * 2 \xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb8
    Via: SIP/2.0/UDP 192.0.2.39;branch=z9hG4bKunr
    Call-ID: unreason.bnm
    CSeq: 36 INVITE
    From: sip:alice@example.com;tag=un1
    To: sip:bob@example.org;tag=un2
    Content-Length: {length}
    Content-Type: application/sdp
    Contact: <sip:bob@host39.example.com>
    """,
    SDP,
)
NOREASON = sip(
    """
    SIP/2.0 100\x20
    Via: SIP/2.0/UDP 192.0.2.40;branch=z9hG4bKnor
    Call-ID: noreason.vbn
    CSeq: 36 INVITE
    From: <sip:alice@example.com>;tag=no1
    To: <sip:bob@example.org>;tag=no2
    Content-Length: 0
    Contact: <sip:alice@host40.example.com>
    """
)

CASES: Final = (
    Case("3.1.1.1", "wsinv", WSINV), Case("3.1.1.2", "intmeth", INTMETH), Case("3.1.1.3", "esc01", ESC01),
    Case("3.1.1.4", "escnull", ESCNULL), Case("3.1.1.5", "esc02", ESC02), Case("3.1.1.6", "lwsdisp", LWSDISP),
    Case("3.1.1.7", "longreq", LONGREQ), Case("3.1.1.8", "dblreq", DBLREQ), Case("3.1.1.9", "semiuri", SEMIURI),
    Case("3.1.1.10", "transports", TRANSPORTS), Case("3.1.1.11", "mpart01", MPART01),
    Case("3.1.1.12", "unreason", UNREASON), Case("3.1.1.13", "noreason", NOREASON),
)  # fmt: skip
