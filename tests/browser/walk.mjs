/* The first people of a portal that was made by docs/gateway.md, in a real browser with an authenticator of its own (the browser's virtual one): one of
 * Sluis's own users and those of a directory, up to who may not. Each step goes on where the one before it ended, and prints a line of JSON: its name,
 * what went wrong or null, and what a page said that is compared elsewhere.
 *   node walk.mjs BUILD SETTINGS: where node_modules are; JSON: port, and people by name: password, display. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [build, settings] = process.argv.slice(2);
const { port, people } = JSON.parse(settings);
const require = createRequire(join(build, "browser", "package.json"));
const { chromium } = require("playwright-core");
const PATIENCE = 20000; /* milliseconds: how long a condition may take before it counts as never */
const site = "work.example.org";
const portal = `https://${site}:${port}`;
const app = (id) => `https://${id}.${site}:${port}`;
const words = Object.fromEntries([...readFileSync(new URL("../../src/gateway/words.tbl", import.meta.url), "utf8")
	.matchAll(/^WORD\((\w+), "(.*)", "(.*)"\)$/gm)].map(([, sym, en]) => [sym, en]));
const say = (sym, ...with_) => {
	assert.ok(words[sym], sym);
	return with_.reduce((text, w) => text.replace(/%[su]/, w), words[sym]);
};

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-quic",
	"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
	"--host-resolver-rules=MAP *.example.org 127.0.0.1"] });

/* Somebody with a browser and a key in the laptop. While it is not touched, nothing is confirmed: or a sign-in page would go on by itself. */
async function person(user) {
	const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB", reducedMotion: "reduce" });
	const page = await context.newPage();
	const cdp = await context.newCDPSession(page);
	const v = { user, page, ...people[user] };

	context.setDefaultTimeout(PATIENCE);
	await cdp.send("WebAuthn.enable");
	const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal",
		hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: false } });
	const touch = (enabled) => cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });

	v.go = (path, from = portal) => page.goto(from + path);
	v.at = (path, from = portal) => page.waitForURL(from + path);
	v.text = () => page.locator("main, pre").first().innerText();
	v.heading = async (sym, ...with_) => assert.equal(await page.locator("h1").textContent(), say(sym, ...with_), page.url());
	v.button = (sym) => page.getByRole("button", { name: say(sym), exact: true });
	v.link = (sym) => page.getByRole("link", { name: say(sym), exact: true });
	v.tile = (name) => page.locator(".tile", { hasText: name });
	v.signIn = async () => {
		await page.locator("#user").fill(user);
		await page.locator("#password").fill(v.password);
		await v.button("PW_SIGN_IN").click();
	};
	v.signOut = async () => {
		await v.go("/");
		await v.button("PW_SIGN_OUT").click();
		await v.at("/signed-out");
	};
	/* After the password: who has no factor has one set up, here a passkey, and gets the codes that are shown once. */
	v.setUp = async () => {
		await page.waitForURL(`${portal}/totp**`);
		await touch(true);
		await page.locator("#passkey-new").click();
		await v.link("PW_CODES_KEPT").waitFor();
		await touch(false);
		assert.equal((await v.text()).match(/\b(?:[0-9a-z]{4}-){3}[0-9a-z]{4}\b/g)?.length, 10);
		await v.link("PW_CODES_KEPT").click();
	};
	/* The page's own request for a passkey, in the list below the name, may be quicker than the button: either signs in. */
	v.passkey = async (path, from = portal) => {
		await page.locator("#passkey-sign-in").waitFor();
		await touch(true);
		const pressed = page.locator("#passkey-sign-in").click({ timeout: 2000 }).catch(() => {});
		await v.at(path, from);
		await pressed;
		await touch(false);
	};
	/* The app's server says what it got. */
	v.isTold = async (fields, path) => {
		const text = await v.text();

		assert.ok(text.startsWith(`GET ${path} `), text);
		for (const [name, value] of Object.entries(fields))
			assert.equal(new RegExp(`^${name}: (.*?)\r?$`, "im").exec(text)?.[1], value, text);
	};
	return v;
}

const [eva, piet, kees, anna] = await Promise.all(["eva", "piet", "kees", "anna"].map(person));

const steps = {
	async "a user of our own sets up a passkey, and chooses another password"() {
		await eva.go("/");
		await eva.at("/sign-in");
		await eva.signIn();
		await eva.setUp();
		await eva.at("/account");
		await eva.page.locator("#old").fill(eva.password);
		await eva.page.locator("#new").fill(eva.another);
		await eva.page.locator("#again").fill(eva.another);
		await eva.button("PW_PASSWORD_CHANGE").click();
		await eva.at("/account?done=password");
		await eva.go("/");
		await eva.heading("PW_HELLO", eva.display);
	},
	async "somebody of the directory signs in with its password, and is led to a passkey"() {
		await piet.go("/");
		await piet.at("/sign-in");
		await piet.signIn();
		await piet.setUp();
		await piet.at("/");
		await piet.heading("PW_HELLO", piet.display);
		await piet.signOut();
	},
	async "the passkey alone signs in, without name and password"() {
		await piet.go("/sign-in");
		await piet.passkey("/");
		await piet.heading("PW_HELLO", piet.display);
	},
	async "an app is opened by its tile"() {
		await piet.page.getByRole("link", { name: /^Wiki/ }).first().click();
		await piet.at("/", app("wiki"));
		await piet.isTold({ "sluis-user": "piet", "sluis-groups": "staff,care", host: "wiki.internal.example.org" }, "/");
	},
	async "a deep link is opened, and survives the sign-in"() {
		const path = "/records/7?tab=notes&q=a%20b";

		await piet.go(path, app("care"));
		await piet.at(path, app("care"));
		await piet.isTold({ "sluis-user": "piet", "x-remote-user": "piet" }, path);
		await piet.signOut();
		await piet.go(path, app("care"));
		await piet.page.waitForURL(`${portal}/sign-in?**`);
		await piet.passkey(path, app("care"));
		await piet.isTold({ "sluis-user": "piet", "x-remote-user": "piet" }, path);
	},
	async "an app is locked at the portal for who is not of its group"() {
		await kees.go("/");
		await kees.signIn();
		await kees.setUp();
		await kees.at("/");
		assert.ok((await kees.tile("Care records").innerText()).includes(say("PW_STATE_DENIED")));
		assert.equal(await kees.tile("Care records").getByRole("link").count(), 0);
		assert.equal(await kees.tile("Wiki").getByRole("link").count(), 1);
	},
	async "and its deep link says what is missing, and whom to ask"() {
		const answer = await kees.go("/records/7", app("care"));

		assert.equal(answer.status(), 403);
		await kees.heading("PW_DENIED", "Care records");
		return kees.text();
	},
	async "who is not of the staff does not get in"() {
		await anna.go("/");
		await anna.signIn();
		await anna.page.getByRole("alert").waitFor();
		return anna.text();
	},
};

for (const [name, step] of Object.entries(steps)) {
	const start = performance.now();
	let failure = null, said = null;

	try {
		said = (await step()) ?? null;
	} catch (e) {
		failure = `${e.stack}\n${(await Promise.all([eva, piet, kees, anna].map(async (v) => `${v.user} at ${v.page.url()}: ${await v.text().catch(() => "")}`))).join("\n")}`;
	}
	console.log(JSON.stringify({ name, failure, said, ms: Math.round(performance.now() - start) }));
	if (failure)
		break; /* the next ones go on from here */
}
await browser.close();
