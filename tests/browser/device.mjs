/* Sessions bound to a key of the device, in a real browser that makes the key and proves it by itself: two browsers with a profile each, one of which
 * gets the other's cookies. Keys are in software here, for the machine need have no security chip; all else is what people's browsers do. Each step goes
 * on where the one before it ended, and prints a line of JSON: its name, and what went wrong or null.
 *   node device.mjs BUILD SETTINGS: where node_modules are; JSON: port, password, user, the folder for profiles. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [build, settings] = process.argv.slice(2);
const { port, password, user, folder, netlog } = JSON.parse(settings);
const require = createRequire(join(build, "browser", "package.json"));
const { chromium } = require("playwright-core");
const PATIENCE = 40000; /* milliseconds: how long a condition may take before it counts as never */
const SHORT = "__Host-sluis-device";
const site = "work.example.org";
const portal = `https://${site}:${port}`;
const app = (id) => `https://${id}.${site}:${port}`;
const words = Object.fromEntries([...readFileSync(new URL("../../src/gateway/words.tbl", import.meta.url), "utf8")
	.matchAll(/^WORD\((\w+), "(.*)", "(.*)"\)$/gm)].map(([, sym, en]) => [sym, en]));

async function browserOf(name) {
	const context = await chromium.launchPersistentContext(join(folder, name), { executablePath: "/usr/bin/chromium", headless: true, locale: "en-GB",
		env: { ...process.env, HOME: folder }, /* whose NSS database trusts the certificate: without that there is no binding */
		args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
			"--disable-sync", "--host-resolver-rules=MAP *.example.org 127.0.0.1",
			"--enable-features=DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting",
			...(netlog ? [`--log-net-log=${join(netlog, name)}.json`, "--net-log-capture-mode=IncludeSensitive"] : [])] });
	const page = context.pages()[0] ?? (await context.newPage());

	context.setDefaultTimeout(PATIENCE);
	return { context, page };
}

async function until(what, condition) {
	const end = performance.now() + PATIENCE;
	let last = null;

	while (performance.now() < end) {
		last = await condition();
		if (last)
			return last;
		await new Promise((done) => setTimeout(done, 200));
	}
	assert.fail(`never: ${what}`);
}

const text = (v) => v.page.locator("main, pre").first().textContent();
const go = (v, path, from = portal) => v.page.goto(from + path);
const shortCookie = async (v, from) => (await v.context.cookies(from)).find((c) => c.name === SHORT && c.domain === new URL(from).hostname)?.value;
const isNobody = async (v) => (await v.page.locator("#password").count()) === 1;
const isOpen = async (v) => new RegExp(`^sluis-user: ${user}\r?$`, "im").test(await text(v));

async function signIn(v) {
	await v.page.locator("#user").fill(user);
	await v.page.locator("#password").fill(password);
	await v.page.getByRole("button", { name: words.PW_SIGN_IN, exact: true }).click();
	await v.page.waitForURL(portal + "/");
}
async function isBound(v) {
	await until("the portal says that the session is bound", async () => {
		await go(v, "/");
		return (await text(v)).includes(words.PW_SESSION_BOUND);
	});
}

async function openApp(v, id) {
	await go(v, "/", app(id));
	assert.ok(await isOpen(v));
	await until("the app's session is bound", () => shortCookie(v, app(id)));
}
async function dropShort(v, from) {
	await v.context.clearCookies({ name: SHORT, domain: new URL(from).hostname });
	assert.equal(await shortCookie(v, from), undefined);
}

/* Chromium signs six times in nine minutes for all hosts of a domain together, registering included: each list has an owner of its own, and stays below. */
const lists = [{
	async "signing in binds the session to the device"({ owner }) {
		await go(owner, "/");
		await signIn(owner);
		await isBound(owner);
		assert.ok(await shortCookie(owner, portal));
	},
	async "so does opening an app"({ owner }) {
		await openApp(owner, "wiki");
		assert.notEqual(await shortCookie(owner, app("wiki")), await shortCookie(owner, portal));
		assert.ok(!(await text(owner)).includes(SHORT), "the short cookie reached a server");
	},
	async "copied cookies are nobody's in another browser"({ owner, thief }) {
		const copied = (await owner.context.cookies([portal, app("wiki")])).filter((c) => c.name !== SHORT);

		assert.ok(copied.some((c) => c.name === "__Host-sluis-portal") && copied.some((c) => c.name === "__Host-sluis-app"));
		await thief.context.addCookies(copied);
		for (const path of [portal + "/", app("wiki") + "/"])
			await until("the thief is asked to sign in", async () => {
				await thief.page.goto(path);
				return isNobody(thief);
			});
		assert.equal(await thief.page.evaluate((to) => fetch(to, { credentials: "include" }).then((r) => r.url.includes("/sign-in")), portal + "/account"), true);
	},
	async "the browser gets another short cookie when it has none"({ owner }) {
		for (const [from, holds] of [[portal, async () => (await text(owner)).includes(words.PW_SESSION_BOUND)], [app("wiki"), () => isOpen(owner)]]) {
			const before = await shortCookie(owner, from);

			await dropShort(owner, from);
			await go(owner, "/", from);
			assert.ok(await holds(), await owner.page.content());
			assert.ok((await shortCookie(owner, from)) && (await shortCookie(owner, from)) !== before);
		}
	},
}, {
	async "copied with the short one, they end with it"({ owner, thief }) {
		await go(owner, "/");
		await signIn(owner);
		await isBound(owner);
		await openApp(owner, "wiki");
		await thief.context.addCookies((await owner.context.cookies([app("wiki")])).filter((c) => c.domain === new URL(app("wiki")).hostname));
		for (let i = 0; i < 2; i++) { /* the one before the latest is good for requests that were under way */
			await dropShort(owner, app("wiki"));
			await go(owner, "/", app("wiki"));
			assert.ok(await isOpen(owner));
		}
		await thief.page.goto(app("wiki") + "/");
		assert.ok(await isNobody(thief));
	},
	async "the owner has noticed nothing"({ owner }) {
		await go(owner, "/");
		assert.ok((await text(owner)).includes(words.PW_SESSION_BOUND));
		await go(owner, "/page", app("wiki"));
		assert.ok(await isOpen(owner));
	},
	async "an app that demands it opens by itself"({ owner }) {
		await go(owner, "/", app("strict"));
		await until("the app is open", () => isOpen(owner).catch(() => false));
		assert.ok(await shortCookie(owner, app("strict")));
	},
}, {
	async "signing out ends it, and signing in binds again"({ owner }) {
		await go(owner, "/");
		await signIn(owner);
		await isBound(owner);
		await openApp(owner, "wiki");
		await go(owner, "/");
		await owner.page.getByRole("button", { name: words.PW_SIGN_OUT, exact: true }).click();
		await owner.page.waitForURL(portal + "/signed-out");
		await go(owner, "/", app("wiki"));
		await until("somebody is asked to sign in", () => isNobody(owner));
		await go(owner, "/sign-in");
		await signIn(owner);
		await isBound(owner);
		await openApp(owner, "wiki");
	},
	async "a link on another site leads in when the short cookie is over"({ owner, grace }) {
		await grace();
		await dropShort(owner, app("wiki"));
		await owner.page.goto(`data:text/html,<a id=go href="${app("wiki")}/linked">go</a>`);
		await owner.page.locator("#go").click();
		await owner.page.waitForURL((u) => u.href.startsWith(app("wiki")));
		await until("the app is open", () => isOpen(owner).catch(() => false));
		assert.ok(owner.page.url().endsWith("/linked"));
		assert.ok(await shortCookie(owner, app("wiki")));
	},
}];

const thief = await browserOf("thief");
for (const [i, steps] of lists.entries()) {
	const owner = await browserOf(`owner${i}`);
	/* Until a session that was just bound takes nothing without its short cookie: the thief is let in no more. */
	const grace = async () => {
		await thief.context.clearCookies();
		await thief.context.addCookies((await owner.context.cookies([app("wiki")])).filter((c) => c.name === "__Host-sluis-app"));
		await until("the grace ends", async () => {
			await thief.page.goto(app("wiki") + "/");
			return isNobody(thief);
		});
	};

	for (const [name, step] of Object.entries(steps)) {
		let failure = null;

		try {
			await step({ owner, thief, grace });
		} catch (e) {
			failure = `${e.stack}\nowner at ${owner.page.url()}, thief at ${thief.page.url()}`;
		}
		console.log(JSON.stringify({ name, failure }));
		if (failure)
			break; /* the next ones go on from here */
	}
	await owner.context.close();
	await thief.context.clearCookies();
}
await thief.context.close();
