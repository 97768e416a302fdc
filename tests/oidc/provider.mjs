/* A certified provider (npm: oidc-provider) on 127.0.0.1, with TLS. Everybody is eva there: the sign-in and
 * the consent are answered without a page. Argument: settings as JSON; writes its issuer as a line when it listens. */
import {createServer, request} from "node:https"
import {readFileSync} from "node:fs"
import Provider from "oidc-provider"

const settings = JSON.parse(process.argv[2])

/* What it sends to others goes to this machine, whatever their name; TLS is checked against their authority. */
const send = (url, {method = "GET", headers = {}, body = "", signal}) => new Promise((resolve, reject) => {
	const fields = new Headers(headers)

	if (body instanceof URLSearchParams && !fields.has("content-type"))
		fields.set("content-type", "application/x-www-form-urlencoded")
	fields.set("content-length", Buffer.byteLength(String(body)))
	const out = request(url, {method, signal, headers: Object.fromEntries(fields), ca: readFileSync(settings.trusted),
		lookup: (name, options, done) => options.all ? done(null, [{address: "127.0.0.1", family: 4}]) : done(null, "127.0.0.1", 4)}, answer => {
		const parts = []

		answer.on("data", part => parts.push(part))
		answer.on("end", () => resolve(new Response(parts.length ? Buffer.concat(parts) : null, {status: answer.statusCode})))
	})
	out.on("error", reject)
	out.end(String(body))
})
const server = createServer({key: readFileSync(settings.key), cert: readFileSync(settings.chain)})
server.listen(settings.port ?? 0, "127.0.0.1", () => {
	const issuer = `https://127.0.0.1:${server.address().port}`
	const provider = new Provider(issuer, {
		clients: [{client_id: "sluis", client_secret: settings.secret, redirect_uris: [settings.redirect], response_types: ["code"], grant_types: ["authorization_code"],
			post_logout_redirect_uris: [settings.signed_out], backchannel_logout_uri: settings.logout, backchannel_logout_session_required: true}],
		claims: {openid: ["sub", "sid", "amr", "acr"], profile: ["name", "preferred_username", "groups"], email: ["email", "email_verified"]},
		conformIdTokenClaims: false,
		findAccount: (ctx, id) => ({accountId: id, claims: () => ({sub: id, name: `${id} of there`, preferred_username: id, groups: ["staff"], email: `${id}@example.org`, email_verified: true})}),
		features: {devInteractions: {enabled: false}, backchannelLogout: {enabled: true}, rpInitiatedLogout: {enabled: true}},
		pkce: {required: () => true},
		cookies: {keys: ["only for tests"]},
		fetch: (url, options) => send(url, {...options, signal: AbortSignal.timeout(10000)}),
		interactions: {url: (ctx, i) => `/person/${i.uid}`},
	})
	const answer = provider.callback()

	provider.on("backchannel.error", (ctx, error) => console.error("back-channel:", error))

	server.on("request", async (req, res) => {
		if (!req.url.startsWith("/person/"))
			return answer(req, res)
		const {prompt, params, session} = await provider.interactionDetails(req, res)
		if (prompt.name === "login")
			return provider.interactionFinished(req, res, {login: {accountId: "eva", amr: ["pwd", "mfa"]}})
		const grant = new provider.Grant({accountId: session.accountId, clientId: params.client_id})
		grant.addOIDCScope("openid profile email")
		return provider.interactionFinished(req, res, {consent: {grantId: await grant.save()}})
	})
	console.log(issuer)
})
