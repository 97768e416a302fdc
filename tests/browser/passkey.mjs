/* web/passkey.js in a real browser with an authenticator of its own (the browser's virtual one), against a small server that hands what it gets to
 * the gateway's C code. Each step prints a line of JSON: its name, and what went wrong or null.
 *   node passkey.mjs BUILD [PART]: where webauthn_check and node_modules are; only steps with that in their name. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const build = process.argv[2];
const { chromium } = createRequire(join(build, "browser", "package.json"))("playwright-core");
const script = readFileSync(new URL("../../web/passkey.js", import.meta.url));
const PATIENCE = 20000; /* milliseconds: how long a condition may take before it counts as never */

/* What the server knows, and what a step makes it do. */
const world = { passkeys: [], seen: [], results: [], csrf: "token-of-the-session", next: "/home" };
const check = (...args) => {
	const [verdict, ...rest] = execFileSync(join(build, "tests/browser/webauthn_check"), args.map(String), { encoding: "utf8" }).trim().split(" ");
	const [id, key, algorithm, count, verified, backedUp] = rest;

	return verdict === "ok" ? { id, key, algorithm: +algorithm, count: +count, verified: verified === "1", backedUp: backedUp === "1" } :
		{ refused: rest[0] };
};

function options(kind) {
	const challenge = world.challenge = randomBytes(32).toString("base64url");
	const ids = world.ids ?? world.passkeys.map((k) => k.id);

	return kind === "new" ?
		{ challenge, rp: { id: "localhost", name: "Work" }, exclude: ids,
			user: { id: Buffer.from("handle-of-eva-16").toString("base64url"), name: "eva", displayName: "Eva" }, timeout: 60000 } :
		{ challenge, rpId: "localhost", allow: kind === "sign-in" ? [] : ids, userVerification: world.verification ?? "required", timeout: 60000 };
}

function verdict(kind, body, party) {
	const { rp = "localhost", origin = world.origin, challenge = world.challenge, uv = "1" } = party ?? {};

	if (kind === "new")
		return check("register", rp, origin, challenge, uv, body.clientData, body.attestation);
	const old = world.passkeys.find((k) => k.id === body.id);
	return old ? check("assert", rp, origin, challenge, uv, body.clientData, body.authenticatorData, body.signature, old.id, old.key,
		old.algorithm, old.count) : { refused: "unknown" };
}

function result(kind, body) {
	const v = verdict(kind, body);

	world.results.push({ kind, body, ...v, challenge: world.challenge });
	if (v.refused || world.refuses)
		return { ok: false };
	world.passkeys = [...world.passkeys.filter((k) => k.id !== v.id), { ...v }];
	return { ok: true, next: world.next };
}

const button = (id, kind) => `<button hidden type="button" id="${id}" data-options="/options/${kind}" data-result="/result/${kind}"
	data-csrf="${world.csrf}" data-status="status" data-error="It did not work" data-cancelled="Not done" data-name="name">Passkey</button>`;
const pages = {
	"/sign-in": () => button("passkey-sign-in", "sign-in"),
	"/waiting": () => `<input id="user" autocomplete="username webauthn">${button("passkey-sign-in", "sign-in")}`,
	"/second": () => button("passkey-second", "second"),
	"/new": () => `<input id="name" value="Eva's telephone">${button("passkey-new", "new")}`,
	"/home": () => "<h1>Home</h1>",
};
const answer = (response, status, type, body) => response.writeHead(status, { "Content-Type": type, "Content-Security-Policy":
	"default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'" }).end(body);
const server = createServer(async (request, response) => {
	const [, what, kind] = request.url.split("/");

	if (request.method === "GET" && request.url === "/passkey.js")
		return answer(response, 200, "text/javascript", script);
	if (request.method === "GET" && pages[request.url])
		return answer(response, 200, "text/html; charset=utf-8", `<!doctype html><title>Portal</title><script src="/passkey.js" defer></script>
			<main>${pages[request.url]()}<p id="status" role="status"></p></main>`);
	if (request.method !== "POST" || !["options", "result"].includes(what))
		return answer(response, 404, "text/plain", "");
	const body = Object.fromEntries(new URLSearchParams((await request.toArray()).join("")));
	world.seen.push({ path: request.url, csrf: body.csrf, type: request.headers["content-type"] });
	if (world.down === what)
		return answer(response, 503, "text/plain", "");
	return answer(response, 200, "application/json", JSON.stringify(what === "options" ? options(kind) : result(kind, body)));
});
await new Promise((done) => server.listen(0, "localhost", done));
world.origin = `http://localhost:${server.address().port}`;

const folder = mkdtempSync(join(tmpdir(), "sluis-passkey-"));
const context = await chromium.launchPersistentContext(folder, { executablePath: "/usr/bin/chromium", headless: true, args: ["--no-sandbox",
	"--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
context.setDefaultTimeout(PATIENCE);

/* A page with an authenticator; what the browser complains about is a step's failure. */
async function open(path, { verified = true, presence = true, before, credentials = [] } = {}) {
	const page = await context.newPage();
	const cdp = await context.newCDPSession(page);
	const complaints = [];

	page.on("pageerror", (e) => complaints.push(String(e)));
	page.on("console", (m) => /Content Security Policy|two ceremonies/.test(m.text()) && complaints.push(m.text()));
	await cdp.send("WebAuthn.enable");
	const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal",
		hasResidentKey: true, hasUserVerification: true, isUserVerified: verified, automaticPresenceSimulation: presence } });
	for (const credential of credentials)
		await cdp.send("WebAuthn.addCredential", { authenticatorId, credential });
	if (before)
		await page.addInitScript(before);
	await page.goto(world.origin + path);
	const held = async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
	return { page, cdp, authenticatorId, complaints, held, status: page.locator("#status"), close: () => page.close() };
}

let kept = []; /* the authenticator's credentials, from page to page */
async function press(view, id) {
	await view.page.locator(`#${id}`).click();
}
async function home(view) {
	await view.page.waitForURL(`${world.origin}/home`);
	kept = await view.held();
	assert.deepEqual(view.complaints, []);
	await view.close();
}
async function says(view, text) {
	await view.page.waitForFunction((t) => document.getElementById("status").textContent === t, text);
	assert.deepEqual(view.complaints, []);
	await view.close();
}

async function makes(algorithm) {
	const view = await open("/new", { before: algorithm === -7 ? undefined : `{ const create = navigator.credentials.create;
		navigator.credentials.create = function (o) { o.publicKey.pubKeyCredParams = o.publicKey.pubKeyCredParams.filter((p) => p.alg === ${algorithm});
		return create.call(this, o); }; }` });

	await press(view, "passkey-new");
	await home(view);
	const r = world.results.at(-1);
	assert.deepEqual([r.algorithm, r.verified, r.body.name], [algorithm, true, "Eva's telephone"]);
	return r;
}

const steps = {
	async "a passkey is made"() {
		const r = await makes(-7);
		assert.equal(world.passkeys.length, 1);
		assert.deepEqual(world.seen.map((s) => s.path), ["/options/new", "/result/new"]);
		for (const s of world.seen)
			assert.deepEqual([s.csrf, s.type], [world.csrf, "application/x-www-form-urlencoded;charset=UTF-8"]);
		world.challenge = r.challenge;
		assert.equal(verdict("new", r.body).refused, undefined);
		assert.equal(verdict("new", r.body, { rp: "example.org" }).refused, "rp_id");
		assert.equal(verdict("new", r.body, { origin: "http://localhost" }).refused, "origin");
		assert.equal(verdict("new", r.body, { challenge: randomBytes(32).toString("base64url") }).refused, "challenge");
	},
	async "one that is there is not made twice"() {
		const view = await open("/new", { credentials: kept });
		await press(view, "passkey-new");
		await says(view, "It did not work");
		assert.equal(world.passkeys.length, 1);
	},
	async "a passkey alone signs in"() {
		const view = await open("/sign-in", { credentials: kept });
		const before = world.passkeys[0].count;
		await press(view, "passkey-sign-in");
		await home(view);
		const r = world.results.at(-1);
		assert.equal(Buffer.from(r.body.userHandle, "base64url").toString(), "handle-of-eva-16");
		assert.equal(r.verified, true);
		assert.ok(r.count > before);
	},
	async "a passkey is the second factor"() {
		const view = await open("/second", { credentials: kept });
		await press(view, "passkey-second");
		await home(view);
		assert.equal(world.results.at(-1).kind, "second");
	},
	async "an answer serves once, and not changed"() {
		const { body, challenge } = world.results.at(-1);
		world.challenge = challenge;
		assert.equal(verdict("second", body).refused, "count");
		world.passkeys[0].count = 0;
		assert.equal(verdict("second", body).refused, undefined);
		const other = Buffer.from(body.signature, "base64url");
		other[other.length - 1] ^= 1;
		assert.equal(verdict("second", { ...body, signature: other.toString("base64url") }).refused, "signature");
		assert.equal(verdict("new", { ...body, attestation: body.authenticatorData }).refused, "type");
	},
	async "a key of EdDSA"() {
		const old = [kept, world.passkeys];
		world.ids = [];
		await makes(-8);
		const view = await open("/second", { credentials: kept });
		world.ids = [world.passkeys.at(-1).id];
		await press(view, "passkey-second");
		await home(view);
		assert.equal(world.results.at(-1).algorithm, -8);
		[kept, world.passkeys] = old;
	},
	async "a key of RS256"() {
		const old = [kept, world.passkeys];
		world.ids = [];
		await makes(-257);
		const view = await open("/second", { credentials: kept });
		world.ids = [world.passkeys.at(-1).id];
		await press(view, "passkey-second");
		await home(view);
		assert.equal(world.results.at(-1).algorithm, -257);
		[kept, world.passkeys] = old;
	},
	async "a passkey is chosen in the name's field"() {
		const view = await open("/waiting", { credentials: kept });
		await home(view);
		assert.equal(world.results.at(-1).kind, "sign-in");
		assert.equal(world.results.at(-1).refused, undefined);
	},
	async "the button goes before the field"() {
		const view = await open("/waiting", { credentials: kept, presence: false, before: `{ const get = navigator.credentials.get;
			navigator.credentials.get = function (o) { if (o.mediation) window.waiting = o.signal;
			else if (!window.waiting.aborted) console.warn("two ceremonies"); return get.call(this, o); }; }` });
		await view.page.waitForFunction(() => window.waiting);
		assert.equal(await view.page.evaluate(() => window.waiting.aborted), false);
		await view.cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId: view.authenticatorId, enabled: true });
		await press(view, "passkey-sign-in");
		await home(view);
		assert.equal(world.seen.filter((s) => s.path === "/options/sign-in").length, 2);
		assert.equal(world.seen.filter((s) => s.path === "/result/sign-in").length, 1);
	},
	async "who is not verified is not taken for it"() {
		const view = await open("/second", { credentials: kept, verified: false });
		await press(view, "passkey-second");
		await says(view, "Not done");
	},
	async "not verified, where that is not asked for"() {
		world.verification = "discouraged";
		const view = await open("/second", { credentials: kept, verified: false });
		await press(view, "passkey-second");
		await says(view, "It did not work"); /* the C code wants it here */
		assert.equal(world.results.at(-1).refused, "user_verified");
		const { body, challenge } = world.results.at(-1);
		world.challenge = challenge;
		assert.equal(verdict("second", body, { uv: "0" }).verified, false);
	},
	async "what the server refuses is told"() {
		world.refuses = true;
		const view = await open("/second", { credentials: kept });
		await press(view, "passkey-second");
		await says(view, "It did not work");
	},
	async "a server that does not answer is told"() {
		world.down = "options";
		const view = await open("/second", { credentials: kept });
		await press(view, "passkey-second");
		await says(view, "It did not work");
	},
	async "nobody is told of a sign-in that was not asked for"() {
		world.down = "options";
		const view = await open("/waiting", { credentials: kept });
		await view.page.waitForFunction(() => performance.getEntriesByType("resource").some((r) => r.name.endsWith("/options/sign-in")));
		world.down = undefined;
		await press(view, "passkey-sign-in");
		await home(view);
	},
	async "the next page is the portal's own"() {
		for (const next of ["https://evil.example/", "//evil.example/", "/\\evil.example/", "/\t/evil.example/", "javascript:alert(1)", "home", ""]) {
			world.next = next;
			const view = await open("/second", { credentials: kept });
			await press(view, "passkey-second");
			await view.page.waitForFunction(() => document.getElementById("status").textContent === "It did not work");
			assert.equal(view.page.url(), `${world.origin}/second`, next);
			kept = await view.held();
			await view.close();
		}
	},
	async "without passkeys nothing is shown"() {
		const view = await open("/sign-in", { before: "delete window.PublicKeyCredential" });
		await view.page.waitForLoadState("load");
		assert.equal(await view.page.locator("#passkey-sign-in").isHidden(), true);
		assert.deepEqual(view.complaints, []);
		await view.close();
	},
};

for (const [name, step] of Object.entries(steps)) {
	if (process.argv[3] && !name.includes(process.argv[3]) && name !== "a passkey is made")
		continue;
	const start = performance.now();
	let failure = null;
	Object.assign(world, { seen: [], next: "/home", verification: undefined, refuses: false, down: undefined, ids: undefined });
	try {
		await step();
	} catch (e) {
		failure = e.stack;
	}
	console.log(JSON.stringify({ name, failure, ms: Math.round(performance.now() - start) }));
}
await context.close();
server.close();
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
