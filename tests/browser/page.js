// The phone in one page: JsSIP with what a test may ask of it. Values that leave the page are plain.

"use strict";

const MEDIA = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };

class Phone {
  constructor({ url, uri, password }) {
    this.registered = 0; // How often a REGISTER was answered with 200.
    this.connected = false;
    this.sessions = []; // Oldest first.
    this.transfers = []; // What its REFERs were told, oldest first.
    this.ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(url)], uri, password });
    this.ua.on("connected", () => { this.connected = true; });
    this.ua.on("disconnected", () => { this.connected = false; });
    this.ua.on("registered", () => { this.registered += 1; });
    this.ua.on("registrationFailed", ({ cause, response }) => {
      this.registrationFailed = `${cause} ${response?.status_code ?? ""}`;
      // A server that is busy for a moment says when to come again; JsSIP leaves that to the page.
      if (response?.status_code === 500 && response.getHeader("Retry-After")) setTimeout(() => this.ua.register(), 1000);
    });
    this.ua.on("newRTCSession", ({ session, originator }) => this.keep(session, originator));
    this.ua.start();
  }

  keep(session, originator) {
    const kept = { session, originator, state: "null", status: 0, cause: "", heldByOther: false };
    this.sessions.push(kept);
    session.on("progress", (event) => {
      kept.state = originator === "local" ? "early" : "incoming";
      kept.status = event.response?.status_code ?? 0;
    });
    session.on("confirmed", () => { kept.state = "confirmed"; });
    session.on("hold", ({ originator: who }) => { if (who === "remote") kept.heldByOther = true; });
    session.on("unhold", ({ originator: who }) => { if (who === "remote") kept.heldByOther = false; });
    for (const end of ["ended", "failed"]) {
      session.on(end, ({ cause, message }) => {
        kept.state = end;
        kept.cause = cause;
        kept.status = message?.status_code ?? 0;
      });
    }
  }

  get standing() {
    return this.sessions.at(-1).session;
  }

  call(uri) { this.ua.call(uri, MEDIA); }
  // To an INVITE without an offer (of a transfer) JsSIP makes one of audio only where this asks for it.
  answer() { this.standing.answer({ ...MEDIA, rtcOfferConstraints: { offerToReceiveAudio: true } }); }
  // Whether JsSIP would: it does not while a re-INVITE is under way.
  hold() { return this.standing.hold(); }
  resume() { return this.standing.unhold(); }
  // The other party of a session is given to a target, or to that of another session.
  refer(number, target, other) {
    const tell = (what) => ({ request, response }) => {
      const line = request?.body?.trim() ?? "";
      this.transfers.push(`${what} ${line.split(" ")[1] ?? response?.status_code ?? ""}`.trim());
    };
    const eventHandlers = {};
    for (const what of ["requestFailed", "accepted", "failed"]) eventHandlers[what] = tell(what);
    const options = { eventHandlers };
    if (other !== null) options.replaces = this.sessions[other].session;
    this.sessions[number].session.refer(target, options);
  }
  hangup(options) { this.standing.terminate(options); }
  stop() { this.ua.stop(); }

  async report() {
    const answer = { registered: this.registered, connected: this.connected, failed: this.registrationFailed ?? "", call: null };
    const kept = this.sessions.at(-1);
    if (kept) {
      const held = kept.session.isOnHold();
      answer.call = { state: kept.state, status: kept.status, cause: kept.cause, originator: kept.originator,
        holds: held.local, held: kept.heldByOther, ice: "", dtls: "", received: 0, sent: 0, call_id: kept.session._request?.call_id ?? "" };
      const connection = kept.session.connection;
      if (connection && kept.state === "confirmed") {
        answer.call.ice = connection.iceConnectionState;
        answer.call.dtls = connection.connectionState;
        for (const one of (await connection.getStats()).values()) {
          if (one.type === "inbound-rtp") answer.call.received += one.packetsReceived;
          if (one.type === "outbound-rtp") answer.call.sent += one.packetsSent;
        }
      }
    }
    return answer;
  }
}

// Opens a bare WebSocket with this subprotocol; what came of it.
function knock(url, subprotocol) {
  return new Promise((resolve) => {
    const socket = subprotocol ? new WebSocket(url, subprotocol) : new WebSocket(url);
    socket.onopen = () => { resolve(`open ${socket.protocol}`); socket.close(); };
    socket.onerror = () => resolve("refused");
  });
}

window.verbs = {
  start(setup) { window.phone = new Phone(setup); },
  knock({ url, subprotocol }) { return knock(url, subprotocol); },
  report() { return window.phone.report(); },
  refer({ number, target, other }) { window.phone.refer(number, target, other); },
  transfers() { return window.phone.transfers; },
  states() { return window.phone.sessions.map(({ state }) => state); },
  call({ uri }) { window.phone.call(uri); },
  answer() { window.phone.answer(); },
  hold() { return window.phone.hold(); },
  resume() { return window.phone.resume(); },
  hangup(options) { window.phone.hangup(options); },
  stop() { window.phone.stop(); },
};
