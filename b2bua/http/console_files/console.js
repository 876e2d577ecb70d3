"use strict";
// The console: one view a place, each read from /api when it opens and again when the server says that something happened.
// Nothing that a peer wrote is ever taken for markup: text goes in as text, and the drawing is parsed as XML without scripts.

const places = {
  overview: { title: "Overview", show: showOverview },
  registrations: { title: "Phones", show: showRegistrations },
  calls: { title: "Calls", show: showCalls },
  lamps: { title: "Lamps", show: showLamps },
  trace: { title: "Trace", show: showTrace },
  entities: { title: "Entities", show: showEntities },
  faults: { title: "Faults", show: showFaults },
  log: { title: "Log", show: showLog },
  settings: { title: "Settings", show: showSettings },
};
const keys = { o: "overview", p: "registrations", c: "calls", l: "lamps", t: "trace", e: "entities", f: "faults", g: "log", s: "settings" };

const view = document.getElementById("view");
const reader = document.getElementById("message");
const filter = document.getElementById("filter");
const live = document.getElementById("live");
const told = document.getElementById("told");
const question = document.getElementById("question");

let me = { name: null, role: null, login: false };  // who looks, as the server says
let messages = {};      // of the ladder that is shown: number → message
let chosen = 0;         // the message that is open
let paused = false;
let drawn = "";         // what the view shows, so that nothing moves while nothing has changed
let turn = 0;           // the newest reading; an older answer that comes late is not shown
let others = [];        // names of other servers whose traces can be shown with this one's
let keep = "";          // for how long the trace is kept on disk; "": it is not
let steered = false;    // whether the calls here can be steered
let together = true;    // whether they are
let back = 0;           // seconds; 0: what is in memory

// -- small things ---------------------------------------------------------------------------------------------------

function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// What stands between backquotes in a sentence of the reference is code.
function withCode(text) {
  return text.split("`").map((part, number) => (number % 2 ? el("code", {}, part) : part));
}

function seconds(value) {
  if (value < 90) return `${Math.round(value)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  return `${(value / 3600).toFixed(1)} h`;
}

function clock(unix) {
  const at = new Date(unix * 1000);
  return at.toLocaleTimeString([], { hour12: false }) + "." + String(at.getMilliseconds()).padStart(3, "0");
}

function userOf(uri) {
  const found = /^sips?:([^@;]+)@/.exec(uri || "");
  return found ? found[1] : uri || "?";
}

class LoggedOut extends Error {}

async function read(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) throw new LoggedOut("logged out");
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${(await answer.text()).trim()}`);
  const silent = answer.headers.get("X-B2bua-Silent");
  return Object.assign(await answer.json(), silent ? { silent } : {});
}

// What is asked of the trace besides: the other servers, and how far back.
function reach() {
  const since = back ? `&since=${Math.floor(Date.now() / 1000 - back)}` : "";
  return since + (others.length && together ? "&together=1" : "");
}

function reachBar(silent) {
  const choose = (label, on, act) => el("button", { type: "button", "aria-pressed": String(on), onclick: () => { act(); refresh(true); } }, label);
  const parts = [];
  if (others.length) {
    parts.push(choose(`With ${others.join(", ")}`, together, () => { together = !together; }));
  }
  if (keep) {
    for (const [label, seconds] of [["In memory", 0], ["Last hour", 3600], ["Last day", 86400]]) {
      parts.push(choose(label, back === seconds, () => { back = seconds; }));
    }
  }
  const missing = silent ? [el("p", { class: "bad" }, `Without ${silent}`)] : [];
  return [...(parts.length ? [el("p", { class: "ways", id: "reach" }, parts)] : []), ...missing];
}

async function learnReach() {
  const { overview } = await read("api/overview");
  others = overview.trace.servers || [];
  keep = overview.trace.keep || "";
  steered = overview.steered;
}

function wanted(...texts) {
  const word = filter.value.trim().toLowerCase();
  return !word || texts.some((text) => String(text ?? "").toLowerCase().includes(word));
}

// A head with * at its end, and the cells below it, are for wide screens only; a head of numbers stands over them, to the right.
function table(heads, rows, nothing) {
  if (!rows.length) return el("p", { class: "soft" }, filter.value ? "Nothing that fits the filter." : nothing);
  const numbers = [...rows[0].children].map((cell) => cell.classList.contains("num"));
  const kinds = (text, place) => [text.endsWith("*") && "wide", numbers[place] && "num"].filter(Boolean).join(" ");
  const head = el("tr", {}, heads.map((text, place) => el("th", { scope: "col", class: kinds(text, place) || false }, text.replace("*", ""))));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, rows));
}

function lampKind(dialog) {
  if (dialog.state === "confirmed" && dialog.local.rendering === "no") return "held";
  if (dialog.state === "confirmed" && dialog.remote.rendering === "no") return "is-held";
  return dialog.state === "terminated" ? "" : dialog.state;
}

const said = { trying: "is calling", proceeding: "is calling", early: "rings", confirmed: "talks", held: "holds", "is-held": "is held" };

function lamp(kind) {
  return el("span", { class: `lamp ${kind}`, role: "img", "aria-label": said[kind] || "idle", title: said[kind] || "idle" });
}

function callLink(call, ...text) {
  return el("a", { href: `#/calls/${encodeURIComponent(call)}` }, ...(text.length ? text : ["its ladder"]));
}

// -- who looks, and what he may do -------------------------------------------------------------------------------------

function mayChange() {
  return me.role === "operator";
}

async function change(method, path, body) {
  const answer = await fetch(path, { method, headers: { "X-B2bua": "1" }, body: body && JSON.stringify(body) });
  const text = (await answer.text()).trim();
  if (!answer.ok) throw new Error(text || String(answer.status));
  return text;
}

// Changes something and shows what has become of it; what the server has against it stands above the view.
async function act(method, path) {
  tell("");
  try {
    await change(method, path);
  } catch (error) {
    tell(error instanceof TypeError ? "The server does not answer." : error.message);
  }
  refresh(true);
}

function tell(text) {
  told.textContent = text;
  told.hidden = !text;
}

function button(text, onclick) {
  return el("button", { type: "button", onclick }, text);
}

// A form of named fields: { name: { label, options | type } }; `send` takes the values, its error stays in the form.
function fields(title, named, submit, send, cancel) {
  const wrong = el("p", { class: "bad", role: "alert" });
  const inputs = Object.entries(named).flatMap(([name, { label, options, ...rest }]) => [
    el("label", { for: `field-${name}` }, label),
    options ? el("select", { id: `field-${name}`, name }, options.map((value) => el("option", { value }, value)))
      : el("input", { id: `field-${name}`, name, required: true, autocomplete: "off", ...rest })]);
  return el("form", { class: "fields", onsubmit: async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    try {
      await send(Object.fromEntries(new FormData(event.target)));
    } catch (error) {
      wrong.textContent = error instanceof TypeError ? "The server does not answer." : error.message;
    }
  } }, el("h2", {}, title), inputs, el("p", { class: "actions" }, el("button", { type: "submit" }, submit), cancel || null), wrong);
}

function askFor(title, named, submit, send) {
  question.replaceChildren(fields(title, named, submit, async (values) => { await send(values); question.close(); refresh(true); },
    button("Cancel", () => question.close())));
  question.showModal();
}

async function whoAmI() {
  me = await read("api/session");
  const out = me.login && me.name ? button("Log out", async () => { await change("DELETE", "api/session"); location.reload(); }) : null;
  document.getElementById("me").replaceChildren(...(me.login && me.name ? [`${me.name}, ${me.role}`, out] : []));
}

function showLogIn() {
  if (document.getElementById("field-password")) return;
  drawn = "";
  document.title = "Log in · b2bua";
  view.replaceChildren(fields("Log in", {
    name: { label: "Name", autocomplete: "username" },
    password: { label: "Password", type: "password", autocomplete: "current-password" },
  }, "Log in", async (values) => { await change("POST", "api/session", values); await begin(); }));
  document.getElementById("field-name").focus();
}

// -- the views ------------------------------------------------------------------------------------------------------

async function showOverview() {
  const { overview } = await read("api/overview");
  const calls = Object.values(overview.calls).reduce((sum, number) => sum + number, 0);
  const tile = (number, text, place) => el("a", { class: "tile", href: `#/${place}` }, el("b", {}, String(number)), text);
  const fact = (name, value) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value));
  return [
    el("div", { class: "tiles" },
      tile(overview.registered, "phones registered", "registrations"),
      tile(calls, `calls${overview.calls.held ? `, ${overview.calls.held} held` : ""}`, "calls"),
      tile(Object.values(overview.subscriptions).reduce((sum, number) => sum + number, 0), "subscriptions", "lamps"),
      tile(overview.trace.kept, "messages kept", "trace")),
    el("table", { class: "facts" }, el("tbody", {},
      fact("Domain", overview.domain),
      fact("Listens on", overview.listeners.join(", ")),
      fact("Version", overview.version),
      fact("Up for", seconds(overview.now - overview.started)),
      fact("Takes calls", overview.ready ? "yes" : "no"),
      fact("Store outlives the process", overview.store ? "yes" : "no, memory"),
      fact("Trace", overview.trace.size ? `${overview.trace.kept} of ${overview.trace.size} messages` : "off"))),
    el("p", { class: "soft" }, "Keys: o p c l t e f g s change the view, / filters, j and k go from message to message, Esc closes one, ",
      "space stops and goes on."),
  ];
}

async function showRegistrations() {
  const { registrations } = await read("api/registrations");
  const rows = registrations.filter((one) => wanted(one.user, one.contact, one.user_agent, one.source)).map((one) =>
    el("tr", {},
      el("td", {}, el("a", { href: `#/trace/${encodeURIComponent(one.user)}` }, one.user)),
      el("td", { class: "mono" }, one.contact),
      el("td", { class: "mono" }, `${one.source}${one.nat ? " (NAT)" : ""}`),
      el("td", { class: "mono wide" }, one.listener),
      el("td", { class: one.answers ? "" : "bad" }, one.answers ? `for ${seconds(one.seconds_left)}` : "does not answer"),
      el("td", { class: "wide" }, one.user_agent)));
  return [table(["User", "Contact", "Comes from", "By*", "Registered", "Phone*"], rows, "No phone is registered.")];
}

async function showCalls(call) {
  if (call) return showLadder(`call-id=${encodeURIComponent(call)}`, `Call ${call}`);
  const [{ calls, silent }, standing] = await Promise.all([read(`api/trace?format=calls${reach()}`), standingCalls()]);
  const rows = calls.filter((one) => wanted(one.caller, one.callee, one.state, one.call)).map((one) =>
    el("tr", {},
      el("td", { class: "num" }, clock(one.start)),
      el("td", {}, callLink(one.call, `${one.caller || "?"} → ${one.callee || "?"}`)),
      el("td", {}, lamp(one.state === "held" ? "held" : one.state), one.state),
      el("td", { class: "num" }, seconds(one.end - one.start)),
      el("td", { class: "num wide" }, String(one.messages)),
      el("td", { class: "num" }, String(one.holds)),
      el("td", { class: one.wrong ? "num bad" : "num" }, String(one.wrong))));
  return [
    ...standing,
    el("h2", {}, "Seen"),
    ...reachBar(silent),
    table(["Began", "Call", "State", "Seen for", "Messages*", "Holds", "Wrong"], rows, "No call in what the trace has kept."),
    el("p", { class: "soft" }, "As the messages tell that the trace has kept. A call opens as a ladder."),
  ];
}

// Those of the feature server here, and what can be done with them: nothing where it cannot be steered.
async function standingCalls() {
  if (!steered) return [];
  const { calls } = await read("api/calls");
  const rows = calls.filter((one) => wanted(one.caller, one.callee, one.state, one.id)).map((one) =>
    el("tr", {},
      el("td", {}, callLink(one.call_ids[0] || one.id, `${one.caller} → ${one.callee}`)),
      el("td", {}, lamp(one.holding.length ? "held" : one.state), one.holding.length ? `held by ${one.holding.join(" and ")}` : one.state),
      el("td", { class: "num" }, seconds(one.seconds)),
      el("td", { class: "wide" }, one.last ? `${one.last.asked}: ${one.last.status || "under way"} ${one.last.reason}` : ""),
      mayChange() ? el("td", {}, el("div", { class: "actions" }, callActions(one))) : null));
  const place = mayChange() ? [el("p", { class: "actions" }, button("Place a call", placeCall))] : [];
  return [
    el("h2", {}, "Standing"),
    table(["Call", "State", "For", "Asked last*", ...(mayChange() ? ["What to do"] : [])], rows, "No call stands."),
    ...place,
  ];
}

function callActions(one) {
  const query = (words) => `api/calls?${new URLSearchParams({ id: one.id, ...words })}`;
  const made = [];
  const parties = [one.caller, one.callee];
  if (one.state === "confirmed") {
    for (const user of parties) {
      const verb = one.holding.includes(user) ? "resume" : "hold";
      made.push(button(`${user} ${verb === "hold" ? "holds" : "resumes"}`, () => act("POST", query({ do: verb, user }))));
    }
    made.push(button("Transfer", () => askFor("Transfer", {
      user: { label: "Who leaves", options: parties }, to: { label: "Who is called in that place" },
    }, "Transfer", (words) => change("POST", query({ do: "transfer", ...words })))));
  }
  return [...made, button("End", () => act("DELETE", query({})))];
}

function placeCall() {
  askFor("Place a call", { from: { label: "Rings first" }, to: { label: "Is called then" } }, "Call",
    (words) => change("POST", `api/calls?${new URLSearchParams({ do: "make", ...words })}`));
}

async function showTrace(user) {
  const who = user || filter.value.trim();
  return showLadder(who ? `user=${encodeURIComponent(who)}` : "", who ? `All of ${who}` : "All that is kept");
}

async function showLadder(query, title) {
  const ladder = await read(`api/trace?format=ladder&${query}${reach()}`);
  messages = ladder.messages;
  const drawing = new DOMParser().parseFromString(ladder.svg, "image/svg+xml").documentElement;
  const links = ["html", "pcap", "mermaid", "svg", "text", "tracesm", "json"].map((form) =>
    el("a", { href: `api/trace?format=${form}&${query}${reach()}`, download: `trace.${form === "tracesm" ? "log" : form}` }, form));
  const holder = el("div", { class: "drawing" }, withNames(document.importNode(drawing, true)));
  for (const link of holder.querySelectorAll("a")) {
    link.addEventListener("click", (event) => { event.preventDefault(); openMessage(numberOf(link)); });
  }
  const left = ladder.left_out ? [el("p", { class: "soft" }, `${ladder.left_out} older messages are left out.`)] : [];
  const count = Object.keys(messages).length;
  return [
    el("h2", {}, title),
    ...reachBar(ladder.silent),
    el("p", { class: "ways" }, el("span", { class: "soft" }, `${count} messages. Save as`), links),
    ...left,
    count ? el("p", { class: "soft" }, "Lamps: ", ...["trying", "early", "confirmed", "held", "is-held"].map((kind) =>
      el("span", { class: "way" }, lamp(kind), `${kind} `))) : null,
    count ? holder : el("p", { class: "soft" }, "No message of it is kept."),
  ];
}

// The names of the parties in a group of their own, over the arrows that go by below it.
function withNames(drawing) {
  const make = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const names = make("g", { class: "names" });
  names.append(make("rect", { y: -6, width: drawing.getAttribute("width"), height: 36, fill: "#fff" }), ...drawing.querySelectorAll("text.party"));
  drawing.append(names);
  return drawing;
}

// Below the page's head as long as the drawing is there.
function keepNames() {
  const head = document.querySelector("header").getBoundingClientRect().bottom;
  for (const names of document.querySelectorAll(".drawing .names")) {
    const drawing = names.ownerSVGElement.getBoundingClientRect();
    names.setAttribute("transform", `translate(0 ${Math.max(0, Math.min(head - drawing.top, drawing.height - 40))})`);
  }
}

window.addEventListener("scroll", keepNames, { passive: true });

async function showLamps() {
  const { lamps } = await read("api/lamps");
  const shown = lamps.filter((one) => wanted(one.aor, one.package, ...one.subscriptions.map((other) => other.watcher)));
  if (!shown.length) return [el("p", { class: "soft" }, "Nobody watches anything, and nothing is published.")];
  return shown.map((one) => {
    const dialogs = one.publications.flatMap((publication) => (publication.dialogs || []).map((dialog) => ({ publication, dialog })));
    const lit = dialogs.find(({ dialog }) => lampKind(dialog));
    const reasons = one.publications.map((publication) => reason(one, publication)).flat();
    return el("section", { class: "why" },
      el("h3", {}, one.package === "dialog" ? lamp(lit ? lampKind(lit.dialog) : "") : null, `${userOf(one.aor)} · ${one.package}`),
      el("ul", {}, reasons.length ? reasons : [el("li", { class: "soft" }, "Nothing is published: the lamp is idle.")]),
      one.subscriptions.length ? watchers(one) : el("p", { class: "soft" }, "Nobody watches it."));
  });
}

function reason(one, publication) {
  const by = publication.by === "phone" ? "the phone itself" : `the feature server (${publication.by})`;
  const ends = ` Published by ${by}, ends in ${seconds(publication.seconds_left)} unless it is renewed. `;
  const ladder = publication.call ? callLink(publication.call) : null;
  if (publication.dialogs === null) return [el("li", {}, `A document.${ends}`, ladder)];
  return publication.dialogs.map((dialog) => {
    const kind = lampKind(dialog);
    const other = dialog.remote.identity ? `${dialog.direction === "recipient" ? " by" : ""} ${userOf(dialog.remote.identity)}` : "";
    const hint = { held: "its own +sip.rendering is no", "is-held": "the other party's +sip.rendering is no" }[kind];
    return el("li", {}, lamp(kind), `${userOf(one.aor)} ${said[kind] || "is idle again"}${kind ? other : ""} `,
      el("span", { class: "soft" }, `(${dialog.state}${hint ? `, ${hint}` : ""}).`), ends, ladder);
  });
}

function watchers(one) {
  const rows = one.subscriptions.map((other) => {
    const answer = other.under_way ? "waits for the answer" : other.answer === 0 ? "none yet" : other.answer === 408 ? "silence" : String(other.answer);
    const good = other.under_way || (other.answer >= 200 && other.answer < 300);
    return el("tr", {},
      el("td", {}, el("a", { href: `#/trace/${encodeURIComponent(other.watcher)}` }, other.watcher)),
      el("td", { class: "mono wide" }, other.address),
      el("td", { class: "num" }, String(other.cseq)),
      el("td", { class: "num" }, String(other.version)),
      el("td", { class: good ? "good" : "bad" }, answer + (other.waits ? ", news waits" : "")),
      el("td", { class: "num" }, seconds(other.seconds_left)));
  });
  return table(["Watched by", "At*", "NOTIFY: CSeq", "version", "answer", "Expires in"], rows, "");
}

async function showEntities() {
  const { entities } = await read("api/entities");
  const rows = entities.filter((one) => wanted(one.name, one.kind)).map((one) =>
    el("tr", {}, el("td", {}, one.name), el("td", {}, one.kind),
      el("td", { class: one.up === null ? "soft" : one.up ? "good" : "bad" }, one.up === null ? "not asked" : one.up ? "up" : "down"),
      el("td", { class: "num" }, one.rtt === null ? "" : `${(one.rtt * 1000).toFixed(1)} ms`)));
  return [table(["Name", "Kind", "State", "Round trip"], rows, "No feature server, no trunk.")];
}

async function showFaults() {
  const [{ faults }, { bans }] = await Promise.all([read("api/faults"), read("api/bans")]);
  const offer = (path, text) => (mayChange() ? button(text, () => act("DELETE", path)) : null);
  const set = faults.filter((one) => wanted(one.fault)).map((one) =>
    el("tr", {}, el("td", { class: "num" }, String(one.number)), el("td", { class: "mono" }, one.fault),
      el("td", { class: "num" }, String(one.matched)), el("td", { class: "num" }, String(one.acted)),
      el("td", {}, offer(`api/faults?number=${one.number}`, "Take away"))));
  const banned = bans.filter((one) => wanted(one.source)).map((one) =>
    el("tr", {}, el("td", { class: "mono" }, one.source), el("td", { class: "num" }, seconds(one.seconds_left)),
      el("td", {}, offer(`api/bans?address=${encodeURIComponent(one.source)}`, "Hear it again"))));
  return [
    el("h2", {}, "Faults on purpose"),
    table(["Number", "Fault", "Was for", "Acted", ""], set, "None. b2bua fault add sets one."),
    el("h2", {}, "Banned addresses"),
    table(["Address", "For", ""], banned, "None."),
  ];
}

// What is chosen stands in the address, so that a link shows the same: #/log/area=calls&level=warning.
async function showLog(argument) {
  const chosen = new URLSearchParams(argument);
  const query = new URLSearchParams(chosen);
  if (filter.value.trim()) query.set("text", filter.value.trim());
  const { logs } = await read(`api/logs?${query}`);
  const areas = ["process", "transport", "access", "registrations", "calls", "features", "events", "entities", "media", "load",
    "faults", "store", "cdr", "http"];
  const go = (name, value) => {
    if (value) chosen.set(name, value); else chosen.delete(name);
    location.hash = `#/log/${encodeURIComponent(chosen)}`;
  };
  const choice = (name, values, all) => el("select", { name, "aria-label": name, onchange: (event) => go(name, event.target.value) },
    el("option", { value: "" }, all),
    values.map((value) => el("option", { value, selected: chosen.get(name) === value }, value)));
  const only = (name, value, text) => el("a", { href: `#/log/${encodeURIComponent(`${name}=${encodeURIComponent(value)}`)}` }, text);
  const set = ["call", "user", "peer", "event"].filter((name) => chosen.get(name)).map((name) =>
    el("button", { type: "button", onclick: () => go(name, "") }, `${name} ${chosen.get(name)} ×`));
  const said = ["time", "level", "area", "event", "number", "exception"];
  const fields = (one) => Object.entries(one).filter(([name]) => !said.includes(name)).flatMap(([name, value]) => [
    el("span", { class: "soft" }, `${name} `),
    name === "call" ? callLink(value, String(value)) : name === "user" ? only("user", value, userOf(value)) : String(value), " "]);
  const rows = logs.reverse().map((one) =>
    el("tr", { class: one.level },
      el("td", { class: "num" }, clock(one.time)),
      el("td", { class: one.level === "error" || one.level === "warning" ? "bad" : "soft" }, one.level),
      el("td", { class: "wide" }, one.area),
      el("td", {}, only("event", one.event, one.event.replaceAll("_", " "))),
      el("td", {}, fields(one), one.exception ? el("details", {}, el("summary", {}, "exception"), el("pre", {}, one.exception)) : null)));
  return [
    el("p", { class: "ways" }, choice("area", areas, "all areas"), choice("level", ["info", "warning", "error"], "all levels"), set),
    table(["Time", "Level", "Area*", "Event", ""], rows, "Nothing of it is kept."),
    el("p", { class: "soft" }, "The newest first. What is logged at all: log_levels in the settings."),
  ];
}

async function showSettings() {
  const { settings } = await read("api/settings");
  const rows = settings.filter((one) => wanted(one.key, one.value, one.meaning)).map((one) =>
    el("tr", {}, el("td", { class: "mono" }, one.key), el("td", { class: "mono" }, one.value === null ? "not set" : one.value),
      el("td", { class: "wide" }, ...withCode(one.meaning)), el("td", { class: "soft wide" }, one.followed ? "reload" : "restart")));
  return [table(["Setting", "Value", "Meaning*", "Changed by*"], rows, "")];
}

// -- one message ----------------------------------------------------------------------------------------------------

function numberOf(link) {
  return Number((link.getAttribute("href") || "").replace("#m", ""));
}

function openMessage(number, against) {
  const message = messages[number];
  if (!message) return;
  chosen = number;
  for (const link of view.querySelectorAll(".drawing a")) link.classList.toggle("chosen", numberOf(link) === number);
  const before = messages[message.before];
  const differs = against && before;
  const ways = [el("button", { type: "button", onclick: closeMessage }, "Close")];
  if (before) ways.push(el("button", { type: "button", onclick: () => openMessage(number, !against) },
    differs ? "Without the differences" : `What differs from #${message.before}`));
  reader.replaceChildren(
    el("p", { class: "ways" }, ways),
    el("div", {}, message.facts.map((line) => el("div", { class: /^(?!why: ).*\bwrong: /.test(line) ? "bad" : "" }, line))),
    el("pre", {}, differs ? difference(before.lines, message.lines) : message.lines.join("\n")));
  reader.hidden = false;
  reader.scrollTop = 0;
  document.body.classList.add("reading");
}

function closeMessage() {
  reader.hidden = true;
  document.body.classList.remove("reading");
  for (const link of view.querySelectorAll(".drawing a.chosen")) link.classList.remove("chosen");
  chosen = 0;
}

function step(way) {
  const numbers = Object.keys(messages).map(Number).sort((one, other) => one - other);
  if (!numbers.length || !view.querySelector(".drawing")) return;
  const at = numbers.indexOf(chosen);
  const next = numbers[at < 0 ? (way > 0 ? 0 : numbers.length - 1) : Math.min(Math.max(at + way, 0), numbers.length - 1)];
  openMessage(next);
  const link = [...view.querySelectorAll(".drawing a")].find((one) => numberOf(one) === next);
  if (link) link.scrollIntoView({ block: "center" });
}

// Line by line, by the longest common subsequence: a message has some dozens of lines.
function difference(old, now) {
  const rest = Array.from({ length: old.length + 1 }, () => new Array(now.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      rest[i][j] = old[i] === now[j] ? rest[i + 1][j + 1] + 1 : Math.max(rest[i + 1][j], rest[i][j + 1]);
    }
  }
  const found = [];
  let i = 0, j = 0;
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) { found.push(`${now[j]}\n`); i++; j++; }
    else if (i < old.length && (j === now.length || rest[i + 1][j] >= rest[i][j + 1])) found.push(el("span", { class: "gone" }, old[i++]), "\n");
    else found.push(el("span", { class: "added" }, now[j++]), "\n");
  }
  return found;
}

// -- going about ----------------------------------------------------------------------------------------------------

function here() {
  const [, place, argument] = /^#\/([a-z]+)(?:\/(.*))?$/.exec(location.hash) || [];
  return places[place] ? [place, argument ? decodeURIComponent(argument) : ""] : ["overview", ""];
}

function say(text) {
  view.replaceChildren(el("p", { class: "bad" }, text));
  drawn = "";
}

async function refresh(moved) {
  const mine = ++turn;
  const [place, argument] = here();
  for (const link of document.querySelectorAll("#places a")) {
    if (link.dataset.place === place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let found;
  try {
    found = await places[place].show(argument);
  } catch (error) {
    if (mine === turn && error instanceof LoggedOut) showLogIn();
    else if (mine === turn) say(error instanceof TypeError ? "The server does not answer." : error.message);
    return;
  }
  if (mine !== turn) return;
  const holder = el("div", {}, found);
  if (holder.innerHTML === drawn && !moved) return;
  drawn = holder.innerHTML;
  view.replaceChildren(...holder.childNodes);
  keepNames();
  document.title = `${places[place].title} · b2bua`;
  if (chosen) for (const link of view.querySelectorAll(".drawing a")) link.classList.toggle("chosen", numberOf(link) === chosen);
}

let soon = null;
let cost = 0;           // milliseconds that the last reading took: the server is asked again after four times as long

function again() {
  if (paused || soon !== null) return;
  soon = setTimeout(async () => {
    const began = performance.now();
    await refresh(false);
    cost = performance.now() - began;
    soon = null;
  }, Math.min(100 + 4 * cost, 10000));
}

function stop(yes) {
  paused = yes;
  live.textContent = yes ? "stopped" : "live";
  live.className = yes ? "" : "on";
  if (!yes) refresh(false);
}

let events = null;

function listen() {
  if (events) events.close();
  events = new EventSource("api/events");
  events.addEventListener("changed", () => { if (!paused) { live.textContent = "live"; live.className = "on"; again(); } });
  events.onopen = () => stop(paused);
  events.onerror = () => { 
    live.textContent = "no server";
    live.className = "off";
    if (events.readyState === EventSource.CLOSED) again(); // refused, not lost: logged out
  };
}

document.getElementById("places").append(...Object.entries(places).map(([place, { title }]) =>
  el("a", { href: `#/${place}`, "data-place": place }, title)));
document.getElementById("search").addEventListener("submit", (event) => { event.preventDefault(); refresh(true); });
filter.addEventListener("input", () => refresh(true));
addEventListener("hashchange", () => { closeMessage(); tell(""); refresh(true); view.focus({ preventScroll: true }); scrollTo(0, 0); });
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || question.open) return;
  if (event.target === filter) {
    if (event.key === "Escape") { filter.value = ""; filter.blur(); refresh(true); }
    return;
  }
  if (event.target.matches("input, select")) return;
  if (event.key === "/") { event.preventDefault(); filter.focus(); }
  else if (event.key === "Escape") closeMessage();
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "d" && chosen) openMessage(chosen, true);
  else if (event.key === " " && event.target.tagName !== "BUTTON") { event.preventDefault(); stop(!paused); }
  else if (keys[event.key]) location.hash = `#/${keys[event.key]}`;
});
setInterval(() => { if (document.visibilityState === "visible") again(); }, 10000); // what runs out without a message
// Of what happens at another server no event comes from this one.
setInterval(() => { if (others.length && together && document.visibilityState === "visible") again(); }, 2000);

// At the start, and after logging in.
async function begin() {
  try {
    await whoAmI();
  } catch (error) {
    say(error instanceof TypeError ? "The server does not answer." : error.message);
    return;
  }
  if (me.role === null) { live.textContent = "logged out"; live.className = ""; showLogIn(); return; }
  await learnReach().catch(() => {});
  await refresh(true);
  listen();
}

begin();
