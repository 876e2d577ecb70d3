// The web console in a headless Chromium: commands as JSON lines on standard input, answers on standard output, as browser.mjs.
//
// It ends at the end of its input, and by itself after LIFE_SECONDS. What the page says wrong, or asks of another host, is kept.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const LIFE_SECONDS = 120;
const PATIENCE = 8000;
const [executablePath, base] = process.argv.slice(2);
setTimeout(() => process.exit(3), LIFE_SECONDS * 1000).unref();

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
const wrong = [];
page.on("console", (line) => { if (line.type() === "error") wrong.push(line.text()); });
page.on("pageerror", (error) => wrong.push(error.message));
page.on("request", (request) => { if (!request.url().startsWith(base) && !request.url().startsWith("data:")) wrong.push(request.url()); });

const verbs = {
  go: (hash) => page.goto(`${base}#/${hash}`),
  shows: ([selector, text]) => page.waitForFunction(
    ([where, what]) => [...document.querySelectorAll(where)].some((one) => one.textContent.includes(what)), [selector, text],
    { timeout: PATIENCE }).then(() => true),
  counts: ([selector, number]) => page.waitForFunction(
    ([where, count]) => document.querySelectorAll(where).length === count, [selector, number], { timeout: PATIENCE }).then(() => true),
  texts: (selector) => page.$$eval(selector, (found) => found.map((one) => one.textContent)),
  count: (selector) => page.$$eval(selector, (found) => found.length),
  click: (selector) => page.click(selector, { timeout: PATIENCE }),
  press: (key) => page.keyboard.press(key),
  choose: ([selector, value]) => page.selectOption(selector, value, { timeout: PATIENCE }).then(() => true),
  status: ([method, path]) => page.evaluate(
    async ([how, where]) => (await fetch(where, { method: how, headers: { "X-B2bua": "1" } })).status, [method, path]),
  cookies: () => page.evaluate(() => document.cookie),
  fill: ([selector, text]) => page.fill(selector, text, { timeout: PATIENCE }),
  size: ([width, height]) => page.setViewportSize({ width, height }),
  wide: () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
  picture: (path) => page.screenshot({ path }).then(() => true),
  wrong: () => wrong,
};

console.log(JSON.stringify({ id: 0, ok: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const { id, verb, argument } = JSON.parse(line);
  let answer;
  try {
    answer = { id, ok: true, data: (await verbs[verb](argument)) ?? null };
  } catch (error) {
    answer = { id, ok: false, error: String(error.message ?? error) };
  }
  if (answer.data && typeof answer.data === "object" && !Array.isArray(answer.data)) answer.data = true;
  console.log(JSON.stringify(answer));
}
await browser.close();
process.exit(0);
