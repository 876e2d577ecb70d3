// Chromium with a page for each phone: commands as JSON lines on standard input, answers on standard output.
//
// {"id": 1, "verb": "hold", "page": "6001", "setup": {…}} is answered by {"id": 1, "ok": true, "data": …} or with "error".
// "open" and "close" are about pages, every other verb is one of page.js. It ends at the end of its input, and by itself
// after LIFE_SECONDS: whatever happens to the test, no browser stays behind.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const LIFE_SECONDS = 300;
const [executablePath, keyHash, ...scripts] = process.argv.slice(2);
const sources = scripts.map((path) => readFileSync(path, "utf8"));

setTimeout(() => process.exit(3), LIFE_SECONDS * 1000).unref();

// A page on loopback is a secure context, so it may use the microphone.
const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end("<!doctype html><title>phone</title>"));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${server.address().port}/`;

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns,LocalNetworkAccessChecks",
    `--ignore-certificate-errors-spki-list=${keyHash}`, // of all certificates that nobody trusts this one alone is taken
  ],
});
const pages = new Map();

async function open(name) {
  const context = await browser.newContext({ permissions: ["microphone"] });
  const page = await context.newPage();
  page.on("console", (line) => console.error(`${name}: ${line.text()}`));
  await page.goto(address);
  for (const content of sources) await page.addScriptTag({ content });
  pages.set(name, page);
}

async function close(name) {
  await pages.get(name).context().close(); // as a tab that is closed: no goodbye by SIP
  pages.delete(name);
}

async function carry_out({ verb, page, setup }) {
  if (verb === "open") return open(page);
  if (verb === "close") return close(page);
  return pages.get(page).evaluate(([name, value]) => window.verbs[name](value), [verb, setup ?? {}]);
}

console.log(JSON.stringify({ id: 0, ok: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let answer;
  try {
    answer = { id: asked.id, ok: true, data: (await carry_out(asked)) ?? null };
  } catch (error) {
    answer = { id: asked.id, ok: false, error: String(error.message ?? error) };
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
process.exit(0);
