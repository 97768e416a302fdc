// Looks at every page that `preview` wrote as a browser and its user would: node pages.mjs FOLDER MODULES [SHOTS]
// FOLDER: what preview wrote; MODULES: a folder with node_modules of package.json; SHOTS: where screenshots go.
import http from "node:http";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";

const [folder, modules, shots] = process.argv.slice(2);
const require = createRequire(path.resolve(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const portal = "https://work.example.org"; // conf_gateway's origin in sample.h
const types = { ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8" };
const csp = fs.readFileSync(path.join(folder, "csp.txt"), "utf8");
const cspApp = fs.readFileSync(path.join(folder, "csp-app.txt"), "utf8");

function answer(url) {
	const name = new URL(url, "http://127.0.0.1").pathname.slice(1);
	const file = path.join(folder, name);
	if (name.includes("..") || !fs.existsSync(file) || !fs.statSync(file).isFile()) return { status: 404, body: "", headers: {} };
	return {
		status: 200,
		body: fs.readFileSync(file),
		headers: {
			"Content-Type": types[path.extname(file)] ?? "image/svg+xml",
			"Content-Security-Policy": name.endsWith(".app.html") ? cspApp : csp,
			"X-Content-Type-Options": "nosniff",
		},
	};
}

const server = http.createServer((req, res) => {
	// web/passkey.js begins a sign-in that waits, as soon as a page with a field for it is there; this host can have no passkeys.
	const isPasskey = req.method === "POST" && req.url.startsWith("/passkey/");
	const a = isPasskey ? { status: 200, headers: { "Content-Type": "application/json" }, body: '{"challenge":"AAAA","rpId":"127.0.0.1"}' } : answer(req.url);
	res.writeHead(a.status, a.headers);
	res.end(a.body);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const base = `http://127.0.0.1:${server.address().port}`;
const profile = fs.mkdtempSync(path.join(os.tmpdir(), "sluis-pages-"));
const browser = await chromium.launchPersistentContext(profile, {
	executablePath: "/usr/bin/chromium",
	headless: true,
	args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
await browser.route(`${portal}/**`, (route) => {
	const a = answer(route.request().url());
	return route.fulfill(a);
});

const wrong = [];
let looked = 0;
function expect(name, good, what) {
	if (!good) wrong.push(`${name}: ${what}`);
}

// A refresh is WCAG 2.2.1's own way out where somebody is warned, and can stay with one action: so axe's rule against all of them is left out, and
// what 2.2.1 asks for is held instead.
async function heldTime(page, name) {
	const refresh = await page.evaluate(() => document.querySelector("meta[http-equiv=refresh]")?.content ?? "");
	// Codes are shown once: their page stays.
	if (name.startsWith("recovery")) expect(name, !refresh, "goes away by itself");
	if (!refresh) return;
	const [after, to] = refresh.split("; url=");
	expect(name, Number(after) >= 20, `refreshes after ${after} s`);
	const stays = await page.locator('form[action="/stay"] button').count();
	expect(name, to === "/still-there" || stays === 1, "its time ends without a warning, and without a way to stay");
}

const standards = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

async function accessible(page, name, rules = {}) {
	if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
	// Without preload: it fetches styles, which the pages' policy does not allow.
	const options = { preload: false, ...rules };
	if (!rules.runOnly) Object.assign(options, { runOnly: standards, rules: { "meta-refresh": { enabled: false } } });
	const found = await page.evaluate((o) => window.axe.run(document, o), options);
	expect(name, found.passes.length > 0, "axe looked at nothing");
	for (const v of found.violations) wrong.push(`${name}: axe ${v.id}: ${v.help}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(" | ")}`);
}

async function fits(page, name, width) {
	const size = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
	expect(name, size[0] <= size[1], `${size[0]} px wide in a window of ${width}`);
	const small = await page.evaluate(() =>
		[...document.querySelectorAll("button, .button, input:not([type=hidden]), select, nav a, .open")]
			.filter((e) => e.checkVisibility() && !e.matches("[aria-hidden=true]"))
			.map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
			.filter(([, r]) => r.height < 43.9)
			.map(([what, r]) => `${what} is ${r.height} px high`),
	);
	expect(name, small.length === 0, small.join("; "));
}

// With the keyboard alone: every control is reached, is seen to have the focus, and is not below something else (2.1.1, 2.4.7, 2.4.11).
async function tabbed(page, name) {
	const count = await page.evaluate(() => {
		document.activeElement?.blur();
		let n = 0;
		for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']"))
			if (e.checkVisibility() && e.tabIndex >= 0) e.dataset.testTab = String(n++);
		return n;
	});
	const seen = new Set();
	for (let i = 0; i < 2 * count + 4 && seen.size < count; i++) {
		await page.keyboard.press("Tab");
		const at = await page.evaluate(() => {
			const e = document.activeElement;
			if (!e || e.dataset.testTab === undefined) return null;
			const outline = [getComputedStyle(e), getComputedStyle(e, "::after")].some((s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2);
			const r = e.getBoundingClientRect();
			const over = document.elementFromPoint(r.x + r.width / 2, r.y + Math.min(r.height / 2, 20));
			const inView = r.bottom > 0 && r.top < innerHeight;
			return { n: e.dataset.testTab, outline, inView, clear: !over || e.contains(over) || over.contains(e), html: e.outerHTML.slice(0, 100) };
		});
		if (!at) continue;
		if (!seen.has(at.n)) {
			expect(name, at.outline, `no outline on ${at.html}`);
			expect(name, at.inView && at.clear, `has the focus, but is not seen: ${at.html}`);
		}
		seen.add(at.n);
	}
	expect(name, seen.size === count, `Tab reaches ${seen.size} of ${count} controls`);
}

async function shoot(page, file, view) {
	if (!shots) return;
	fs.mkdirSync(shots, { recursive: true });
	await page.evaluate(() => document.activeElement?.matches("input, button[autofocus]") || document.activeElement?.blur());
	await page.screenshot({ path: path.join(shots, `${file.replace(/\.html$/, "").replace("/", "-")}.${view}.png`), fullPage: true });
}

// One page, in turn: at a desk, in the dark, on a small phone, at 200 % zoom of 1280 px, with the system's own colours, on paper.
async function look(file, isWhole) {
	const page = await browser.newPage();
	page.on("console", (m) => m.type() === "error" && wrong.push(`${file}: console: ${m.text()}`));
	page.on("pageerror", (e) => wrong.push(`${file}: error: ${e}`));
	await page.setViewportSize({ width: 1280, height: 900 });
	await page.emulateMedia({ colorScheme: "light" });
	await page.goto(`${base}/${file}`);
	expect(file, (await page.evaluate(() => getComputedStyle(document.body).display)) === "flex", "has no style");
	await heldTime(page, file);
	await fits(page, file, 1280);
	await shoot(page, file, "light");
	if (isWhole) {
		await accessible(page, file);
		await tabbed(page, file);
		await page.emulateMedia({ colorScheme: "dark" });
		await accessible(page, `${file} in the dark`, { runOnly: { type: "rule", values: ["color-contrast"] } });
		await shoot(page, file, "dark");
		await page.emulateMedia({ colorScheme: "light" });
	}
	await page.setViewportSize({ width: 640, height: 450 });
	await fits(page, `${file} at 200 %`, 640);
	await page.setViewportSize({ width: 320, height: 640 });
	await fits(page, `${file} at 320 px`, 320);
	await accessible(page, `${file} at 320 px`);
	await shoot(page, file, "320");
	if (shots && isWhole) {
		await page.setViewportSize({ width: 1280, height: 900 });
		await page.emulateMedia({ forcedColors: "active", colorScheme: "dark" });
		await shoot(page, file, "forced");
		await page.emulateMedia({ media: "print", forcedColors: "none", colorScheme: "light" });
		await shoot(page, file, "print");
	}
	looked++;
	await page.close();
}

const only = process.env.SLUIS_PAGES ? new RegExp(process.env.SLUIS_PAGES) : /./;
const files = fs.readdirSync(folder).filter((f) => f.endsWith(".html") && only.test(f)).sort();
const evil = fs.readdirSync(path.join(folder, "evil")).filter((f) => /^en-.*\.html$/.test(f) && only.test(f)).sort();
for (const file of files) await look(file, file.startsWith("en-"));
for (const file of evil) await look(`evil/${file}`, false);

await browser.close();
server.close();
fs.rmSync(profile, { recursive: true, force: true });
for (const line of wrong) console.log(line);
console.log(`${looked} looked at, ${wrong.length} wrong`);
process.exit(wrong.length || !looked ? 1 : 0);
