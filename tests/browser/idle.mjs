/* Somebody signs in, leaves a page of the portal open and goes: in a real browser, against a real Sluis. The warning comes by itself and is not answered,
 * or it is, where `stays` says so. Prints one line of JSON: after how many seconds the warning came, and after how many the page said that it is over.
 *   node idle.mjs BUILD SETTINGS: where node_modules are; JSON: port, user, password, path (of the page that stays open), stays. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [build, settings] = process.argv.slice(2);
const { port, user, password, path, stays } = JSON.parse(settings);
const { chromium } = createRequire(join(build, "browser", "package.json"))("playwright-core");
const PATIENCE = 60000, OVER = 200000; /* milliseconds; a store that is shared ends what is idle up to a minute later */
const portal = `https://work.example.org:${port}`;
const words = {};
for (const [, sym, en] of readFileSync(new URL("../../src/gateway/words.tbl", import.meta.url), "utf8").matchAll(/^WORD\((\w+), "(.*)", "(.*)"\)$/gm))
	words[sym] = en;

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-quic",
	"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
	"--host-resolver-rules=MAP *.example.org 127.0.0.1"] });
const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
const page = await context.newPage();
for (const sym of ["PW_STILL_THERE", "PW_ENDED", "PW_SIGN_IN"])
	assert.ok(words[sym], sym);
const heading = (sym, timeout) => page.getByRole("heading", { level: 1, name: words[sym], exact: true }).waitFor({ timeout });
const asked = [];

context.setDefaultTimeout(PATIENCE);
/* The browser keeps logo and colour for five minutes, and `idle` is longer where people work: nothing is kept here, where it is one. */
await (await context.newCDPSession(page)).send("Network.setCacheDisabled", { cacheDisabled: true });
page.on("request", (r) => asked.push(new URL(r.url()).pathname));
await page.goto(`${portal}/sign-in`);
await page.locator("#user").fill(user);
await page.locator("#password").fill(password);
await page.getByRole("button", { name: words.PW_SIGN_IN, exact: true }).click();
await page.waitForURL(`${portal}/`);
if (path !== "/")
	await page.goto(portal + path);

const begun = Date.now(), seconds = () => (Date.now() - begun) / 1000;
asked.length = 0;
await page.waitForURL(`${portal}/still-there**`);
await heading("PW_STILL_THERE");
const warned = seconds(), loaded = [...asked];
let over = null;
if (stays) {
	await page.keyboard.press("Enter"); /* the button has the focus */
	await page.waitForURL(portal + path);
} else {
	await heading("PW_ENDED", OVER);
	over = seconds();
	await page.goto(`${portal}/account`);
	assert.equal(new URL(page.url()).pathname, "/sign-in");
}
console.log(JSON.stringify({ warned, over, loaded }));
await browser.close();
