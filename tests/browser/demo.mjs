/* The portal of ./dev demo --once as a person meets it, in Debian's Chromium: signs in, opens an app, and is cut off by the sluis program while a page of
 * the app has a WebSocket and a download under way. Prints a line for each step as the demo's other checks do; the exit status is 1 when one did not hold.
 *   node demo.mjs BUILD SETTINGS: where node_modules and sluis are; JSON: portal, wiki, user, password, the browser's home folder, the configuration. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const [build, settings] = process.argv.slice(2);
const { portal, wiki, user, password, folder, config } = JSON.parse(settings);
const require = createRequire(resolve(build, "browser", "package.json"));
const { chromium } = require("playwright-core");
const PATIENCE = 30000; /* milliseconds: how long a condition may take before it counts as never */
const CUT = 1000; /* milliseconds from the command */

/* HOME has the NSS database that trusts the demo's CA: certificates are looked at as everywhere. */
const context = await chromium.launchPersistentContext(join(folder, "profile"), { executablePath: "/usr/bin/chromium", headless: true, locale: "en-GB",
	env: { ...process.env, HOME: folder }, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync"] });
context.setDefaultTimeout(PATIENCE);
const page = context.pages()[0] ?? (await context.newPage());
const live = await context.newPage();
const states = () => live.evaluate(() => ["socket", "download"].map((id) => ({ ...document.getElementById(id).dataset })));
const isAskedToSignIn = async (p) => {
	assert.equal(new URL(p.url()).pathname, "/sign-in", p.url());
	assert.equal(new URL(p.url()).origin, portal);
	await p.locator("#password").waitFor();
};

const steps = {
	async "she signs in at the portal"() {
		await page.goto(portal + "/");
		await isAskedToSignIn(page);
		await page.locator("#user").fill(user);
		await page.locator("#password").fill(password);
		await page.keyboard.press("Enter");
		await page.waitForURL(portal + "/");
	},
	async "a click on the wiki's tile opens it, as hers"() {
		await page.getByRole("link", { name: "Wiki", exact: true }).first().click();
		await page.waitForURL(wiki + "/");
		assert.ok((await page.locator("li").allTextContents()).includes(`Sluis-User: ${user}`), await page.content());
	},
	async "a page of it has a WebSocket and a download under way"() {
		await live.goto(wiki + "/live");
		for (const id of ["socket", "download"])
			await live.locator(`#${id}[data-state=open]`).waitFor();
	},
	async "sluis sessions revoke cuts both, within a second"() {
		assert.deepEqual((await states()).map((s) => s.state), ["open", "open"]);
		const begin = Date.now();
		await promisify(execFile)(join(build, "sluis"), ["-c", config, "sessions", "revoke", user]);
		for (const id of ["socket", "download"])
			await live.locator(`#${id}[data-state=cut]`).waitFor();
		const took = (await states()).map((s) => Number(s.at) - begin);
		console.log(`        the WebSocket after ${took[0]} ms, the download after ${took[1]} ms`);
		assert.ok(took.every((ms) => ms >= 0 && ms < CUT), String(took));
	},
	async "the next request asks her to sign in, at the wiki and at the portal"() {
		await page.reload();
		await isAskedToSignIn(page);
		await live.goto(portal + "/");
		await isAskedToSignIn(live);
	},
};

let failed = false;
for (const [name, step] of Object.entries(steps)) {
	try {
		await step();
		console.log(`  ok    ${name}`);
	} catch (e) {
		failed = true;
		console.log(`  FAIL  ${name}: ${e.stack}`);
		break; /* each goes on where the one before it ended */
	}
}
await context.close();
process.exit(failed ? 1 : 0);
