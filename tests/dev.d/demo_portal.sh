# ./dev demo, act 11: the portal for home workers. Sourced by dev.
demo_work=work.localhost
demo_portal=https://$demo_work:$DEMO_HTTPS
demo_eva="drie groene lantaarns 7"
demo_anna="zeven stille molens 4"

# One server for three apps: it answers with what it was told of who asks; /big is a long download, /live a page that has a WebSocket and a download
# under way.
demo_work_server() {
	DEMO_WORK_PORT=$(demo_free_port)
	"$PYTHON" - "$DEMO_WORK_PORT" <<-'EOF' &
	import base64, hashlib, html, http.server, sys, time

	LIVE = b"""<h1>Live</h1><p>WebSocket: <span id=socket></span></p><p>Download: <span id=download></span></p><script>
	const say = (id, state, more = "") => Object.assign(document.getElementById(id), { textContent: `${state} ${more}` }).dataset.state = state;
	const cut = (id) => { say(id, "cut"); document.getElementById(id).dataset.at = Date.now(); };
	const socket = new WebSocket(`wss://${location.host}/ticks`);
	socket.onmessage = (e) => say("socket", "open", e.data);
	socket.onclose = () => cut("socket");
	fetch("/big").then(async (answer) => {
	    const body = answer.body.getReader();
	    let size = 0;
	    for (;;) {
	        const part = await body.read();
	        if (part.done)
	            return say("download", "whole");
	        say("download", "open", size += part.value.length);
	    }
	}).catch(() => cut("download"));
	</script>
	"""

	class App(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"

	    def ticks(self):
	        key = self.headers.get("Sec-WebSocket-Key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	        self.send_response(101)
	        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())):
	            self.send_header(name, value)
	        self.end_headers()
	        self.close_connection = True
	        for n in range(600):
	            text = str(n).encode()
	            try:
	                self.wfile.write(bytes([0x81, len(text)]) + text)
	            except OSError:
	                return  # the client was cut off
	            time.sleep(0.1)

	    def do_GET(self):
	        if self.path == "/ticks":
	            return self.ticks()
	        told = "".join(f"<li>{n}: {html.escape(self.headers[n])}</li>\n" for n in ("Sluis-User", "Sluis-Groups", "Sluis-Session") if n in self.headers)
	        text = b"x" * 20000000 if self.path == "/big" else LIVE if self.path == "/live" else f"<h1>{html.escape(self.headers['Host'])}</h1><ul>\n{told}</ul>\n".encode()
	        self.send_response(200)
	        self.send_header("Content-Type", "text/html; charset=utf-8")
	        self.send_header("Content-Length", str(len(text)))
	        self.end_headers()
	        try:
	            for at in range(0, len(text), 40000):
	                self.wfile.write(text[at:at + 40000])
	                if at:
	                    time.sleep(0.02)  # at most 2 MB a second: what waits in the client's buffers would be taken for what still comes
	        except OSError:
	            self.close_connection = True  # the client was cut off

	    def log_message(self, *_):
	        pass

	http.server.ThreadingHTTPServer(("127.0.0.14", int(sys.argv[1])), App).serve_forever()
	EOF
	DEMO_WEB[work]=$!
}

demo_gateway() { # of the configuration
	cat <<-EOF
	gateway:
	  portal: $demo_work
	  title: "Example Ltd: work from home"
	  mfa: "false"
	  apps:
	    wiki: {name: Wiki, host: wiki.$demo_work, pool: work}
	    care: {name: Care records, host: care.$demo_work, pool: work, allow: user.groups == "care", help: Ask your manager for the group care.}
	    admin: {name: Administration, host: admin.$demo_work, pool: work, allow: user.groups == "admins", mfa: "true"}
	EOF
}

demo_user() { # NAME PASSWORD options
	local name=$1 password=$2; shift 2
	build/sluis -c "$DEMO/sluis.yaml" user add "$name" "$@" --password-stdin --keep <<<"$password" >/dev/null
}
demo_users() {
	demo_user eva "$demo_eva" --display Eva --group staff && demo_user anna "$demo_anna" --display Anna --group staff --group care --group admins
}

# A browser: cookies in a file for each person; it follows redirects, prints the page, the status and where it ended.
demo_browse() { # WHO URL [curl options]
	local who=$1 url=$2; shift 2
	demo_get -L -b "$DEMO/$who.cookies" -c "$DEMO/$who.cookies" -H 'Accept: text/html' -H 'Accept-Language: en' -w '\n%{http_code} %{url_effective}\n' "$@" "$url"
}
demo_post() { # WHO PATH curl options: a form of the portal
	local who=$1 path=$2; shift 2
	demo_browse "$who" "$demo_portal$path" -H "Origin: $demo_portal" "$@"
}
demo_field() { sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" | head -n 1; }
demo_totp() { # SECRET STEP: the code of now, or of steps later
	"$PYTHON" - "$@" <<-'EOF'
	import base64, hashlib, hmac, struct, sys, time
	mac = hmac.new(base64.b32decode(sys.argv[1]), struct.pack(">Q", int(time.time()) // 30 + int(sys.argv[2])), hashlib.sha1).digest()
	at = mac[-1] & 15
	print(f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}")
	EOF
}

demo_signs_in() { # WHO PASSWORD
	demo_post "$1" /sign-in --data-urlencode "user=$1" --data-urlencode "password=$2" >"$DEMO/page" && grep -qx "200 $demo_portal/" "$DEMO/page"
}
demo_wrong_password() {
	demo_post nobody /sign-in --data-urlencode user=eva --data-urlencode 'password=not the password' >"$DEMO/page" || return 1
	grep -q '^401 ' "$DEMO/page" && ! grep -q sluis-portal "$DEMO/nobody.cookies"
}
demo_opens() { # WHO APP USER
	demo_browse "$1" "https://$2.$demo_work:$DEMO_HTTPS/" >"$DEMO/page" || return 1
	sed -n 's/^<li>\(.*\)<\/li>$/        \1/p' "$DEMO/page"
	grep -q "^200 https://$2\." "$DEMO/page" && grep -qx "<li>Sluis-User: $3</li>" "$DEMO/page"
}
demo_denied() {
	demo_browse eva "https://care.$demo_work:$DEMO_HTTPS/" >"$DEMO/page" || return 1
	grep -q '^403 ' "$DEMO/page" && grep -q 'Ask your manager for the group care' "$DEMO/page" && ! grep -q '<li>Sluis-User' "$DEMO/page"
}
demo_enrols() { # anna's one-time codes; sets DEMO_TOTP
	local csrf
	demo_signs_in anna "$demo_anna" && demo_browse anna "$demo_portal/totp" >"$DEMO/page" || return 1
	DEMO_TOTP=$(sed -n 's/.*otpauth:[^"]*secret=\([A-Z2-7]*\).*/\1/p' "$DEMO/page" | head -n 1)
	csrf=$(demo_field csrf <"$DEMO/page")
	demo_post anna /totp --data-urlencode "csrf=$csrf" -d "code=$(demo_totp "$DEMO_TOTP" -1)" >"$DEMO/page" || return 1
	rm -f "$DEMO/anna.cookies"
	[ -n "$DEMO_TOTP" ] && grep -q '^200 ' "$DEMO/page"
}
demo_asked_for_code() { # a step up: with the password alone the app is not reached
	demo_signs_in anna "$demo_anna" && demo_browse anna "https://admin.$demo_work:$DEMO_HTTPS/" >"$DEMO/page" || return 1
	grep -q "^200 $demo_portal/" "$DEMO/page" && grep -q 'name="code"' "$DEMO/page" && ! grep -q '<li>Sluis-User' "$DEMO/page"
}
demo_steps_up() {
	local csrf next
	csrf=$(demo_field csrf <"$DEMO/page") next=$(demo_field next <"$DEMO/page" | sed 's/&amp;/\&/g')
	demo_post anna /step-up --data-urlencode "csrf=$csrf" --data-urlencode "next=$next" -d method=totp -d "code=$(demo_totp "$DEMO_TOTP" 0)" >"$DEMO/page" || return 1
	grep -q "^200 https://admin\." "$DEMO/page" && grep -qx '<li>Sluis-User: anna</li>' "$DEMO/page"
}
demo_revoke() { # ends eva's sessions while a download of hers runs; sets DEMO_CUT_MS
	local begin status=0
	demo_get --max-time 60 -b "$DEMO/eva.cookies" -o "$DEMO/work.out" "https://wiki.$demo_work:$DEMO_HTTPS/big" 2>/dev/null &
	DEMO_DOWNLOAD=$!
	demo_await test -s "$DEMO/work.out" || return 1
	begin=$(date +%s%3N)
	build/sluis -c "$DEMO/sluis.yaml" sessions revoke eva >/dev/null || return 1
	wait "$DEMO_DOWNLOAD" || status=$?
	DEMO_CUT_MS=$(($(date +%s%3N) - begin))
	[ "$status" != 0 ] && [ "$(stat -c %s "$DEMO/work.out")" -lt 20000000 ]
}
demo_signed_out() {
	demo_browse eva "https://wiki.$demo_work:$DEMO_HTTPS/" >"$DEMO/page" || return 1
	grep -q "^200 $demo_portal/sign-in" "$DEMO/page" && ! grep -q '<li>Sluis-User' "$DEMO/page"
}
demo_eva_in_window() { build/sluis -c "$DEMO/sluis.yaml" window --from -1h --with user:eva | grep -q work/four; }

demo_act_portal() {
	DEMO_TOTP=
	demo_say "11. Home workers sign in at $demo_portal/"
	demo_check "two users are added: eva of staff, anna of staff, care and admins" demo_users
	demo_check "a wrong password gets nothing" demo_wrong_password
	demo_check "eva signs in" demo_signs_in eva "$demo_eva"
	demo_check "and opens the wiki, whose server is told who asks:" demo_opens eva wiki eva
	demo_check "the care records are not for her, and the page says whom to ask" demo_denied
	demo_check "anna sets up one-time codes" demo_enrols
	demo_check "the administration wants one of them, though she has signed in" demo_asked_for_code
	demo_check "with a code she is there" demo_steps_up
	demo_check "sluis sessions revoke eva: her download is cut" demo_revoke
	demo_check "within a second: ${DEMO_CUT_MS:-never} ms" test "${DEMO_CUT_MS:-9999}" -lt 1000
	demo_check "she is asked to sign in again" demo_signed_out
	demo_check "anna goes on" demo_opens anna wiki anna
	demo_check "sluis window says what eva was connected with" demo_await demo_eva_in_window
}

# eva in a real browser, which trusts the demo's CA as a person's would.
demo_browser_setup() {
	"$PYTHON" tests/scenario/browser.py build || return 1
	mkdir -p "$DEMO/browser/.pki/nssdb"
	certutil -d "sql:$DEMO/browser/.pki/nssdb" -N --empty-password && certutil -d "sql:$DEMO/browser/.pki/nssdb" -A -t C,, -n demo -i "$DEMO/ca.pem"
}
demo_act_browser() {
	demo_say "12. The same in a real browser: eva in Chromium"
	demo_check "a browser that trusts the demo's CA" demo_browser_setup
	node tests/browser/demo.mjs build "{\"portal\": \"$demo_portal\", \"wiki\": \"https://wiki.$demo_work:$DEMO_HTTPS\", \"user\": \"eva\", \"password\": \"$demo_eva\",
		\"folder\": \"$DEMO/browser\", \"config\": \"$DEMO/sluis.yaml\"}" || DEMO_FAILED=$((DEMO_FAILED + 1))
}
demo_people() { # for who tries it
	cat <<-EOF
	  eva     password: $demo_eva      the wiki; no codes, for none of her apps asks for one
	  anna    password: $demo_anna        all three apps; the administration wants a code of the secret ${DEMO_TOTP:-(none)}
	EOF
}
