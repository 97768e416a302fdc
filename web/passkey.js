/* Passkeys in the portal's pages: the browser's half of WebAuthn. A page that can use one has a hidden button, "passkey-sign-in", "passkey-second" or
 * "passkey-new", and this script shows it where the browser knows passkeys. Its attributes say all that differs: data-options and data-result, the
 * paths; data-csrf; data-status, the id of an element with role=status; data-error and data-cancelled, the sentences for it; data-name, for a new
 * passkey, the id of the field with its name, and data-codes, of what shows the first recovery codes. No words and no addresses are in here, and
 * nothing is evaluated, so a strict CSP holds. */
"use strict";
{
	const RENEW_MS = 4 * 60 * 1000; /* before the challenge of a sign-in that waits is over */

	const toBase64url = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
		.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
	const fromBase64url = (text) =>
		Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0)).buffer;
	const credentials = (ids) => (ids ?? []).map((id) => ({ type: "public-key", id: fromBase64url(id) }));

	async function post(button, path, body, signal) {
		const form = new URLSearchParams({ ...body, csrf: button.dataset.csrf ?? "", next: button.dataset.next ?? "" });
		const response = await fetch(path, { method: "POST", body: form, redirect: "error", signal });

		if (!response.ok)
			throw new Error(`${path}: ${response.status}`);
		return response.json();
	}

	/* Recovery codes are told now or never: they are shown, and the link below them leads on. The session has another token since, so the page's
	 * other forms get what goes with it. */
	function showCodes(button, answer, url) {
		const box = document.getElementById(button.dataset.codes);

		for (const field of document.querySelectorAll('input[name="csrf"]'))
			field.value = answer.csrf;
		box.querySelector("pre").textContent = answer.codes.replaceAll(" ", "\n");
		box.querySelector("a").href = url.href;
		for (const other of box.parentElement.children)
			other.hidden = other !== box && other.tagName !== "H1";
		document.querySelector("h1").textContent = box.querySelector("h2").textContent;
		box.querySelector("h2").hidden = true;
		box.focus();
	}

	async function finish(button, result) {
		const answer = await post(button, button.dataset.result, result);

		if (answer.ok !== true)
			throw new Error("refused");
		/* Only within the portal, whatever the answer says: "//host" and "/\host" are paths by their looks alone. */
		const url = new URL(answer.next, location.href);
		if (!answer.next.startsWith("/") || url.origin !== location.origin)
			throw new Error("next: not a path");
		if (answer.codes && button.dataset.codes)
			showCodes(button, answer, url);
		else
			location.assign(url.href);
	}

	async function get(button, how) {
		const o = await post(button, button.dataset.options, {}, how?.signal);
		const publicKey = { challenge: fromBase64url(o.challenge), rpId: o.rpId, allowCredentials: credentials(o.allow),
			userVerification: o.userVerification, timeout: o.timeout };
		const c = await navigator.credentials.get({ ...how, publicKey });
		const r = c.response;

		return { id: toBase64url(c.rawId), clientData: toBase64url(r.clientDataJSON),
			authenticatorData: toBase64url(r.authenticatorData), signature: toBase64url(r.signature),
			userHandle: r.userHandle ? toBase64url(r.userHandle) : "" };
	}

	async function create(button) {
		const o = await post(button, button.dataset.options, {});
		const publicKey = { challenge: fromBase64url(o.challenge), rp: o.rp, user: { ...o.user, id: fromBase64url(o.user.id) },
			pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
			excludeCredentials: credentials(o.exclude), attestation: "none", timeout: o.timeout,
			authenticatorSelection: { residentKey: "preferred", userVerification: o.userVerification ?? "preferred" } };
		const c = await navigator.credentials.create({ publicKey });

		return { clientData: toBase64url(c.response.clientDataJSON), attestation: toBase64url(c.response.attestationObject),
			name: document.getElementById(button.dataset.name)?.value ?? "" };
	}

	const show = (button, text) => { document.getElementById(button.dataset.status).textContent = text ?? ""; };

	/* A browser refuses in one way when its user does, when the time is over and when no passkey fits: it does not tell sites which. */
	function tell(button, error) {
		const isCancelled = error.name === "NotAllowedError" || error.name === "AbortError";

		console.warn(error);
		show(button, isCancelled ? button.dataset.cancelled : button.dataset.error);
	}

	/* A sign-in that waits in the list below the name's field. Nobody asked for it, so that it cannot begin is not told; that the passkey which
	 * was chosen there is refused, is. One ceremony at a time: it gives way to the button's. */
	function conditional(button) {
		let waiting = null, isWanted = false, timer = 0;

		function halt() {
			clearTimeout(timer);
			waiting?.abort();
			waiting = null;
		}
		function stop() {
			isWanted = false;
			halt();
		}
		async function start() {
			isWanted = true;
			halt();
			const mine = waiting = new AbortController();
			let result = null;

			timer = setTimeout(() => (document.hidden ? halt() : start()), RENEW_MS);
			try {
				result = await get(button, { mediation: "conditional", signal: mine.signal });
				await finish(button, result);
			} catch (error) {
				if (result)
					tell(button, error);
				if (waiting === mine)
					halt();
				if (result && isWanted)
					start();
			}
		}
		document.addEventListener("visibilitychange", () => { if (!document.hidden && isWanted && !waiting) start(); });
		return { start, stop };
	}

	async function setUp(id, ceremony, canWait) {
		const button = document.getElementById(id);
		let isBusy = false;
		let inField = null;

		if (!button)
			return;
		button.addEventListener("click", async (event) => {
			event.preventDefault();
			if (isBusy)
				return;
			isBusy = true;
			inField?.stop();
			show(button, "");
			try {
				await finish(button, await ceremony(button));
			} catch (error) {
				tell(button, error);
				inField?.start();
			}
			isBusy = false;
		});
		button.hidden = false;
		if (canWait && document.querySelector('input[autocomplete~="webauthn"]') &&
			await PublicKeyCredential.isConditionalMediationAvailable?.())
			inField = conditional(button);
		if (!isBusy)
			inField?.start();
	}

	if (window.PublicKeyCredential) {
		setUp("passkey-sign-in", get, true);
		setUp("passkey-second", get, false);
		setUp("passkey-new", create, false);
	}
}
