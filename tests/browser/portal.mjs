/* The portal as people meet it: a real browser, with an authenticator of its own (the browser's virtual one), against a real Sluis. Each step goes on
 * where the one before it ended, once in English and once in Dutch, and prints a line of JSON: its name, and what went wrong or null. Every page on
 * the way is looked at by axe, in light and in dark.
 *   node portal.mjs BUILD SETTINGS [SHOTS]: where node_modules are; JSON: port, password, and the people by language; where screenshots go. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [build, settings, shots] = process.argv.slice(2);
const { port, password, people } = JSON.parse(settings);
const require = createRequire(join(build, "browser", "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 20000; /* milliseconds: how long a condition may take before it counts as never */
const site = "work.example.org";
const portal = `https://${site}:${port}`;
const app = (id) => `https://${id}.${site}:${port}`;

/* What pages say, from the table that they are made of. */
const words = { en: {}, nl: {} };
for (const [, sym, en, nl] of readFileSync(new URL("../../src/gateway/words.tbl", import.meta.url), "utf8").matchAll(/^WORD\((\w+), "(.*)", "(.*)"\)$/gm))
	[words.en[sym], words.nl[sym]] = [en, nl];
const say = (v, sym, ...with_) => {
	assert.ok(words[v.lang][sym], sym);
	return with_.reduce((text, w) => text.replace(/%[su]/, w), words[v.lang][sym]);
};

/* --- codes --- */

const used = new Map(); /* by secret: the last step whose code was given */
async function code(secret) {
	const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
	const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
	const now = () => Math.floor(Date.now() / 30000);
	const step = Math.max((used.get(secret) ?? 0) + 1, now() - 1);

	while (step > now() + 1)
		await new Promise((done) => setTimeout(done, 50));
	used.set(secret, step);
	const message = Buffer.alloc(8);
	message.writeBigUInt64BE(BigInt(step));
	const mac = createHmac("sha1", key).update(message).digest();
	return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, "0");
}
const otherThan = (right) => String((Number(right) + 1) % 1000000).padStart(6, "0");

/* --- a person at a browser --- */

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-quic",
	"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
	"--host-resolver-rules=MAP *.example.org 127.0.0.1"] });

async function person(lang, more = {}) {
	const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: lang === "nl" ? "nl-NL" : "en-GB", reducedMotion: "reduce",
		colorScheme: "light", viewport: { width: 1280, height: 900 }, ...more });
	const page = await context.newPage();
	const v = { lang, context, page, complaints: [], refused: new Set() };

	context.setDefaultTimeout(PATIENCE);
	page.on("pageerror", (e) => v.complaints.push(String(e)));
	/* That a page itself came with an error's status is told as if it were a mistake of the page's. */
	page.on("response", (r) => r.status() >= 400 && r.request().isNavigationRequest() && v.refused.add(r.url()));
	page.on("console", (m) => m.type() === "error" && !(m.text().startsWith("Failed to load resource") && v.refused.has(m.location().url)) &&
		v.complaints.push(`${page.url()}: ${m.text()}`));
	page.on("request", (r) => {
		const host = new URL(r.url()).host;
		if (!r.url().startsWith("data:") && host !== `${site}:${port}` && !host.endsWith(`.${site}:${port}`))
			v.complaints.push(`asks a stranger: ${r.url()}`);
	});
	v.go = (path, from = portal) => page.goto(from + path);
	v.button = (sym, ...with_) => page.getByRole("button", { name: say(v, sym, ...with_), exact: true });
	v.link = (sym, ...with_) => page.getByRole("link", { name: say(v, sym, ...with_), exact: true });
	v.heading = async (sym, ...with_) => assert.equal(await page.locator("h1").textContent(), say(v, sym, ...with_), page.url());
	v.at = (path, from = portal) => page.waitForURL(from + path);
	v.text = () => page.locator("main, pre").first().textContent();
	v.signIn = async (user, with_ = v.password ?? password) => {
		await page.locator("#user").fill(user);
		await page.locator("#password").fill(with_);
		await v.button("PW_SIGN_IN").click();
	};
	v.signOut = async () => {
		await v.button("PW_SIGN_OUT").click();
		await v.at("/signed-out");
	};
	return v;
}

/* A key in the laptop. While it is not present, nothing is confirmed: or a sign-in page would go on by itself. */
async function withAuthenticator(v) {
	const cdp = await v.context.newCDPSession(v.page);

	await cdp.send("WebAuthn.enable");
	const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal",
		hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: false } });
	const touch = (enabled) => cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });
	v.pressPasskey = async (id) => {
		await touch(true);
		await v.page.locator(id).click();
	};
	v.touch = () => touch(true);
	v.lookAway = () => touch(false);
}

/* --- what every page must be --- */

const standards = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];
let looked = 0;
async function look(v, name) {
	const { page } = v;

	await page.waitForLoadState("load");
	assert.equal(await page.evaluate(() => document.documentElement.lang), v.lang, name);
	assert.equal(await page.evaluate(() => getComputedStyle(document.body).display), "flex", `${name} has no style`);
	if (!(await page.evaluate(() => "axe" in window)))
		await page.evaluate(axe);
	/* Colours are the same in all languages; every page of the portal in Dutch is looked at by pages.mjs too. */
	for (const colorScheme of v.lang === "en" || shots ? ["light", "dark"] : ["light"]) {
		await page.emulateMedia({ colorScheme });
		/* Without preload: it fetches styles, which the policy does not allow. A refresh that warns first is 2.2.1's own way out: pages.mjs holds it. */
		const found = await page.evaluate((o) => window.axe.run(document, o), { preload: false, resultTypes: ["violations"],
			...(colorScheme === "dark" ? { runOnly: { type: "rule", values: ["color-contrast"] } } :
				{ runOnly: standards, rules: { "meta-refresh": { enabled: false } } }) });
		assert.deepEqual(found.violations.map((w) => `${w.id}: ${w.nodes.map((n) => n.html.slice(0, 160)).join(" | ")}`), [], `${name}, ${colorScheme}`);
		if (shots)
			await page.screenshot({ path: join(shots, `${v.lang}-${name}.${colorScheme}.png`), fullPage: true });
	}
	await page.emulateMedia({ colorScheme: "light" });
	looked++;
}

/* An error is told as soon as the page is there, and the field that it is about has the focus. */
async function isTold(v, sym, field, ...with_) {
	const alert = v.page.getByRole("alert");

	await alert.waitFor();
	assert.ok((await alert.textContent()).includes(say(v, sym, ...with_)), await alert.textContent());
	assert.ok((await v.page.title()).startsWith(say(v, "PW_ERROR_TITLE")), await v.page.title());
	assert.equal(await v.page.evaluate(() => document.activeElement.id), field);
}
async function isNoted(v, sym) {
	await v.page.locator(".done").waitFor();
	assert.equal(await v.page.locator(".done").textContent(), say(v, sym));
}
const isOpen = async (v, id, user) => {
	assert.ok(new RegExp(`^sluis-user: ${user}\r?$`, "im").test(await v.text()), `${id}: ${await v.text()}`);
	assert.ok(!/__Host-sluis/.test(await v.text()), "a cookie of ours reached a server");
};
const secretOf = async (v) => (await v.page.locator("code.secret").textContent()).replaceAll(" ", "");
const codesOf = async (v) => (await v.text()).match(/\b(?:[0-9a-z]{4}-){3}[0-9a-z]{4}\b/g) ?? [];

/* --- the steps; v: who works without a second factor being asked, w: who must have one --- */

const steps = {
	async "a wrong password is told"({ v, user }) {
		await v.go("/");
		await v.at("/sign-in");
		await v.heading("PW_SIGN_IN");
		assert.equal(await v.page.evaluate(() => document.activeElement.id), "user");
		await look(v, "sign-in");
		await v.signIn(user, "not the password");
		await isTold(v, "PW_E_REFUSED", "password");
		assert.equal(await v.page.locator("#user").inputValue(), user);
		await look(v, "sign-in-wrong");
	},
	async "signing in shows what there is"({ v, user, name }) {
		await v.signIn(user);
		await v.at("/");
		await v.heading("PW_HELLO", name);
		const denied = v.page.locator(".tile", { hasText: "Payroll" });
		assert.ok((await denied.textContent()).includes(say(v, "PW_STATE_DENIED")));
		assert.equal(await denied.getByRole("link").count(), 0);
		await denied.locator("summary").click();
		assert.ok((await denied.locator("details").innerText()).includes('user.groups == "finance"'));
		assert.ok((await v.page.locator(".tile", { hasText: "Mail" }).textContent()).includes(say(v, "PW_STATE_STEP_UP")));
		await look(v, "home");
	},
	async "an app is opened by its tile, and is used lately then"({ v, user }) {
		await v.page.getByRole("link", { name: /^Wiki/ }).first().click();
		await v.at("/", app("wiki"));
		await isOpen(v, "wiki", user);
		await v.go("/");
		const recent = v.page.locator("section", { has: v.page.getByRole("heading", { name: say(v, "PW_RECENT"), exact: true }) });
		assert.equal(await recent.locator(".tile").count(), 1);
		assert.ok((await recent.textContent()).includes("Wiki"));
	},
	async "favourites stand first"({ v }) {
		const favourites = v.page.locator("section", { has: v.page.getByRole("heading", { name: say(v, "PW_FAVOURITES"), exact: true }) });

		await v.button("PW_FAVOURITE_ADD", "Rosters").click();
		await favourites.waitFor();
		assert.ok((await v.page.locator("section").first().textContent()).includes("Rosters"));
		await look(v, "home-favourites");
		await favourites.getByRole("button").click();
		await favourites.waitFor({ state: "detached" });
	},
	async "a search finds, or says that it did not"({ v }) {
		await v.page.getByRole("searchbox").fill("ROSTER who");
		await v.page.keyboard.press("Enter");
		await v.at("/?q=ROSTER+who");
		assert.ok((await v.page.getByRole("status").textContent()).includes(say(v, "PW_SEARCH_FOUND_1")));
		assert.equal(await v.page.locator(".tile").count(), 1);
		await look(v, "search");
		await v.page.getByRole("searchbox").fill("nothing like it");
		await v.button("PW_SEARCH_GO").click();
		await v.page.waitForURL(/nothing/);
		assert.ok((await v.page.getByRole("status").textContent()).includes(say(v, "PW_SEARCH_NONE")));
		assert.ok(await v.page.getByRole("searchbox").isVisible());
		await look(v, "search-none");
		await v.link("PW_SEARCH_ALL").click();
		await v.at("/");
	},
	async "who may not is told why, and whom to ask"({ v }) {
		await v.go("/deep", app("payroll"));
		assert.equal(new URL(v.page.url()).pathname, "/enter");
		await v.heading("PW_DENIED", "Payroll");
		assert.ok((await v.text()).includes('user.groups == "finance"'));
		assert.ok((await v.text()).includes("Ask the payroll desk"));
		await look(v, "denied");
	},
	async "an app that asks for a second proof has one set up first"({ v, user, kept }) {
		await v.go("/inbox?box=1", app("mail"));
		await v.page.waitForURL(`${portal}/totp?**`);
		await v.heading("PW_TOTP_NEW");
		kept.totp = await secretOf(v);
		await look(v, "totp-new");
		const right = await code(kept.totp);
		await v.page.locator("#code").fill(otherThan(right));
		await v.button("PW_TOTP_READY").click();
		await isTold(v, "PW_E_CODE", "code");
		assert.equal(await secretOf(v), kept.totp);
		await look(v, "totp-new-wrong");
		await v.page.locator("#code").fill(await code(kept.totp)); // looking at pages takes time, and a code is good for a minute
		await v.button("PW_TOTP_READY").click();
		await v.link("PW_CODES_KEPT").waitFor();
		assert.equal((await codesOf(v)).length, 10);
		await look(v, "recovery");
		await v.link("PW_CODES_KEPT").click();
		await v.at("/inbox?box=1", app("mail"));
		await isOpen(v, "mail", user);
	},
	async "a passkey is added"({ v }) {
		await withAuthenticator(v);
		await v.go("/account");
		await v.heading("PW_ACCOUNT");
		await look(v, "account");
		await v.page.locator("#passkey-name").fill("Laptop in the attic");
		await v.pressPasskey("#passkey-new");
		await isNoted(v, "PW_N_PASSKEY");
		assert.equal(await v.page.getByText("Laptop in the attic").count(), 1);
		await v.lookAway();
		await look(v, "account-passkey");
	},
	async "the password is changed"({ v, kept }) {
		const change = async (old, to, again) => {
			await v.page.locator("#old").fill(old);
			await v.page.locator("#new").fill(to);
			await v.page.locator("#again").fill(again);
			await v.button("PW_PASSWORD_CHANGE").click();
		};
		kept.password = "vier gele fietsen op zolder";
		await change("not the password", kept.password, kept.password);
		await isTold(v, "PW_E_PASSWORD_OLD", "old");
		await look(v, "account-wrong");
		await change(password, "short", "short");
		await isTold(v, "PW_E_PASSWORD_SHORT", "new", "12");
		await change(password, kept.password, "another one than that");
		await isTold(v, "PW_E_PASSWORD_AGAIN", "again");
		await change(password, kept.password, kept.password);
		await v.at("/account?done=password");
		await isNoted(v, "PW_N_PASSWORD");
		v.password = kept.password;
	},
	async "another session is ended"({ v, user, kept }) {
		const other = await person(v.lang, { userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1" });
		await other.go("/");
		await other.signIn(user, kept.password);
		await other.at("/");
		await v.go("/account");
			await v.page.getByRole("button", { name: say(v, "PW_SESSION_END_WHICH", say(v, "PW_DEVICE_ON", "Safari", "iPhone"), "127.0.0.1"), exact: true }).click();
		await isNoted(v, "PW_N_SESSION_END");
		await other.page.reload();
		await other.at("/sign-in");
		assert.deepEqual(other.complaints, []);
		await other.context.close();
	},
	async "the other language, and back, on the same page"({ v }) {
		const mine = v.lang;

		await v.go("/account");
		await v.button("PW_LANGUAGE_OTHER").click();
		v.lang = mine === "en" ? "nl" : "en";
		await v.page.locator(`html[lang=${v.lang}]`).waitFor();
		await v.at("/account");
		await v.heading("PW_ACCOUNT");
		await v.go("/wiki-of-none");
		await v.heading("PW_T_NOT_FOUND");
		await look(v, "not-found");
		await v.go("/account");
		await v.page.locator("#language").selectOption(mine);
		await v.button("PW_SAVE").click();
		v.lang = mine;
		await v.page.locator(`html[lang=${mine}]`).waitFor();
		await v.at("/account");
	},
	async "who is still there stays"({ v, name }) {
		await v.go("/still-there");
		await v.heading("PW_STILL_THERE");
		await look(v, "still-there");
		await v.page.keyboard.press("Enter"); /* the button has the focus */
		await v.at("/");
		await v.heading("PW_HELLO", name);
	},
	async "signing out ends apps as well"({ v }) {
		await v.signOut();
		await v.heading("PW_SIGNED_OUT");
		await look(v, "signed-out");
		await v.go("/", app("wiki"));
		await v.page.waitForURL(`${portal}/sign-in?**`);
	},
	async "a passkey alone signs in, and is a second proof"({ v, name, user }) {
		/* The sign-in that waits in the name's field; passkey.mjs presses the button. A touch before the browser waits for one is lost, so: again. */
		for (let i = 0; v.page.url() !== `${app("wiki")}/` && i < 20; i++) {
			await v.lookAway();
			await v.touch();
			await v.page.waitForURL(`${app("wiki")}/`, { timeout: 2000 }).catch(() => {});
			if (i % 5 === 4 && v.page.url() !== `${app("wiki")}/`) /* a request that was lost with its touch is over: the page makes another */
				await v.page.reload();
		}
		await v.at("/", app("wiki"));
		await v.lookAway();
		await isOpen(v, "wiki", user);
		await v.go("/");
		await v.heading("PW_HELLO", name);
		assert.ok((await v.page.locator(".session").textContent()).includes(say(v, "PW_SESSION_MFA")));
		await v.signOut();
	},
	async "a step up with a passkey"({ v, user }) {
		await v.link("PW_SIGN_IN_AGAIN").click();
		await v.signIn(user);
		await v.at("/");
		await v.page.getByRole("link", { name: /^Mail/ }).first().click();
		await v.page.waitForURL(`${portal}/step-up?**`);
		await v.heading("PW_SECOND");
		await look(v, "step-up");
		await v.pressPasskey("#passkey-second");
		await v.at("/", app("mail"));
		await v.lookAway();
		await isOpen(v, "mail", user);
		await v.go("/");
		await v.signOut();
	},
	async "a step up with a code"({ v, user, kept }) {
		await v.go("/", app("mail"));
		await v.page.waitForURL(`${portal}/sign-in?**`);
		await v.signIn(user);
		await v.page.waitForURL(`${portal}/step-up?**`);
		const right = await code(kept.totp);
		await v.page.locator("#code").fill(otherThan(right));
		await v.button("PW_CONFIRM").first().click();
		await isTold(v, "PW_E_CODE", "code");
		await look(v, "step-up-wrong");
		await v.page.locator("#code").fill(right);
		await v.button("PW_CONFIRM").first().click();
		await v.at("/", app("mail"));
		await isOpen(v, "mail", user);
	},
	async "who must have a second factor begins with a passkey"({ w, kept, strict }) {
		await withAuthenticator(w);
		await w.go("/");
		await w.signIn(strict);
		await w.at("/totp");
		await w.heading("PW_TOTP_NEW");
		await look(w, "totp-first");
		await w.pressPasskey("#passkey-new");
		await w.link("PW_CODES_KEPT").waitFor();
		await w.lookAway();
		kept.codes = await codesOf(w);
		assert.equal(kept.codes.length, 10);
		await w.heading("PW_CODES");
		await look(w, "totp-first-codes");
		await w.link("PW_CODES_KEPT").click();
		await w.at("/");
		await w.signOut();
	},
	async "a recovery code is a second factor, once"({ w, strict, kept }) {
		await w.go("/sign-in");
		await w.signIn(strict);
		await w.at("/second");
		await w.heading("PW_SECOND");
		await look(w, "second");
		const give = async (text) => {
			if (!(await w.page.locator("#recovery").isVisible()))
				await w.page.locator("summary").click();
			await w.page.locator("#recovery").fill(text);
			await w.page.locator("form", { has: w.page.locator("#recovery") }).getByRole("button").click();
		};
		await give("aaaa-bbbb-cccc-dddd");
		await isTold(w, "PW_E_RECOVERY", "recovery");
		await look(w, "second-wrong");
		await give(kept.codes[0].toUpperCase());
		await w.at("/");
		await w.signOut();
	},
	async "a passkey is the second factor"({ w, strict }) {
		await w.go("/sign-in");
		await w.signIn(strict);
		await w.at("/second");
		await w.pressPasskey("#passkey-second");
		await w.at("/");
		await w.lookAway();
	},
	async "all of it without JavaScript"({ lang, plain }) {
		const v = await person(lang, { javaScriptEnabled: false });

		await v.go("/", app("wiki"));
		await v.page.waitForURL(`${portal}/sign-in?**`);
		assert.equal(await v.page.locator("#passkey-sign-in").isVisible(), false);
		await v.signIn(plain);
		await v.page.waitForURL(`${portal}/totp?**`);
		assert.equal(await v.page.locator("#passkey-new").isVisible(), false);
		const secret = await secretOf(v);
		await v.page.locator("#code").fill(await code(secret));
		await v.button("PW_TOTP_READY").click();
		assert.equal((await codesOf(v)).length, 10);
		await v.signOut();
		await v.link("PW_SIGN_IN_AGAIN").click();
		await v.signIn(plain);
		await v.at("/second");
		await v.page.locator("#code").fill(await code(secret));
		await v.button("PW_CONFIRM").first().click();
		await v.at("/");
		await v.page.getByRole("link", { name: /^Mail/ }).first().click();
		await v.at("/", app("mail"));
		await isOpen(v, "mail", plain);
		await v.go("/account");
		await v.button("PW_CODES_NEW").click();
		await v.link("PW_CODES_KEPT").click();
		await v.at("/account");
		await v.signOut();
		assert.deepEqual(v.complaints, []);
		await v.context.close();
	},
	async "the keyboard alone, from the sign-in to an app"({ lang, user, kept }) {
		const v = await person(lang);
		const type = async (text, key) => {
			await v.page.keyboard.type(text);
			await v.page.keyboard.press(key);
		};
		/* Autofocus comes after the page: what is typed before it is lost, and a name without its first letter is refused whatever the password. */
		const isFocused = (id) => v.page.waitForFunction((want) => document.activeElement?.id === want, id);
		await v.go("/");
		await isFocused("user");
		await type(user, "Tab");
		await type("not the password", "Enter");
		await isTold(v, "PW_E_REFUSED", "password");
		assert.equal(await v.page.locator("#user").inputValue(), user);
		await isFocused("password");
		await type(kept.password, "Enter");
		await v.at("/");
		for (let i = 0; i < 60 && !(await v.page.evaluate(() => document.activeElement.getAttribute("href") === "/go/wiki")); i++)
			await v.page.keyboard.press("Tab");
		await v.page.keyboard.press("Enter");
		await v.at("/", app("wiki"));
		await isOpen(v, "wiki", user);
		assert.deepEqual(v.complaints, []);
		await v.context.close();
	},
};

if (shots)
	mkdirSync(shots, { recursive: true });
for (const lang of Object.keys(people)) {
	const state = { lang, ...people[lang], kept: {}, v: await person(lang), w: await person(lang) };

	for (const [name, step] of Object.entries(steps)) {
		const start = performance.now();
		let failure = null;

		try {
			await step(state);
			for (const one of [state.v, state.w])
				assert.deepEqual(one.complaints, []);
		} catch (e) {
			failure = `${e.stack}\nv at ${state.v.page.url()}, w at ${state.w.page.url()}`;
			if (shots)
				await state.v.page.screenshot({ path: join(shots, `failed-${lang}-${name.replaceAll(" ", "-")}.png`) });
		}
		for (const one of [state.v, state.w]) {
			one.complaints.length = 0;
			one.lang = lang;
		}
		console.log(JSON.stringify({ lang, name, failure, looked, ms: Math.round(performance.now() - start) }));
		if (failure)
			break; /* the next ones go on from here */
	}
	await state.v.context.close();
	await state.w.context.close();
}
await browser.close();
