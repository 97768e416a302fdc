# ./dev demo: two real web servers, Sluis in front of them, and its main job shown. Sourced by dev.
DEMO_HTTPS=8443
DEMO_HTTP=8080

demo_say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# Waits until a command succeeds, at most about 10 seconds.
demo_await() {
	local i
	for i in $(seq 100); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
	return 1
}

demo_certificates() { # a local CA and a certificate for localhost, the portal and its apps
	cd "$DEMO"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=Sluis demo CA' \
		-keyout ca.key -out ca.pem 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout site.key -out site.csr 2>/dev/null
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:%s,DNS:*.%s\n' $demo_work $demo_work >site.ext
	openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile site.ext -out site.crt 2>/dev/null
	cat site.crt ca.pem >site.pem
	cd - >/dev/null
}

demo_free_port() { "$PYTHON" -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

demo_web_server() { # NUMBER PORT: at 127.0.0.1NUMBER, so that each is a system of its own
	mkdir -p "$DEMO/web$1/wiki"
	echo "<h1>Hello from web server $1</h1>" >"$DEMO/web$1/index.html"
	echo "<h1>The wiki, on web server $1</h1>" >"$DEMO/web$1/wiki/index.html"
	head -c 20000000 /dev/zero | tr '\0' "$1" >"$DEMO/web$1/big"
	ln -f "$DEMO/web$1/big" "$DEMO/web$1/wiki/big"
	cat >"$DEMO/web$1.conf" <<-EOF
	daemon off; master_process off; pid $DEMO/web$1.pid; error_log $DEMO/web$1.log;
	events {}
	http {
		access_log off; client_body_temp_path $DEMO/tmp$1; proxy_temp_path $DEMO/tmp$1; fastcgi_temp_path $DEMO/tmp$1;
		uwsgi_temp_path $DEMO/tmp$1; scgi_temp_path $DEMO/tmp$1;
		server {
			listen 127.0.0.1$1:$2; root $DEMO/web$1; default_type text/html;
			# Slow here and not at the client: what that has not read yet would still come after a cut.
			location = /wiki/big { limit_rate 2m; }
		}
	}
	EOF
	nginx -e "$DEMO/web$1.log" -c "$DEMO/web$1.conf" &
	DEMO_WEB[$1]=$!
}

demo_config() { # CONTACT
	cat >"$DEMO/sluis.yaml" <<-EOF
	workers: 2
	state_dir: $DEMO/state
	contact: $1
	admin:
	  socket: $DEMO/admin.sock
	log:
	  access: $DEMO/access.log
	limits:
	  drain_time: 5m
	listeners:
	  plain:
	    address: 127.0.0.1:$DEMO_HTTP
	    redirect_to_https: $DEMO_HTTPS
	  web:
	    address: 127.0.0.1:$DEMO_HTTPS
	    tls:
	      certificates:
	        - chain: site.pem
	          key: site.key
	pools:
	  app:
	    servers:
	      - {name: one, address: "127.0.0.11:${DEMO_PORT[1]}"}
	      - {name: two, address: "127.0.0.12:${DEMO_PORT[2]}"}
	    check: {http: /, interval: 500ms}
	  wiki:
	    servers:
	      - {name: three, address: "127.0.0.13:${DEMO_PORT[3]}"}
	  work:
	    servers:
	      - {name: four, address: "127.0.0.14:$DEMO_WORK_PORT"}
	routes:
	  - {path: /, pool: app}
	  - {path: /wiki, pool: wiki}
	$(demo_gateway)
	rules: [netscaler]
	detect:
	  mode: on
	  alerts: $DEMO/alerts.jsonl
	monitor:
	  alerts:
	    - {name: duty, to: "http://127.0.0.1:$DEMO_WEBHOOK/sluis", secret_file: webhook.secret}
	EOF
}

demo_webhook() { # a receiver that keeps what is signed with the secret, a line each
	echo "a secret of this demo" >"$DEMO/webhook.secret"
	"$PYTHON" - "$DEMO" <<-'EOF' &
	import hashlib, hmac, http.server, json, os, sys, time
	folder = sys.argv[1]
	secret = open(f"{folder}/webhook.secret", "rb").read().rstrip(b"\n")

	class Receiver(http.server.BaseHTTPRequestHandler):
	    def do_POST(self):
	        body = self.rfile.read(int(self.headers["Content-Length"]))
	        parts = dict(p.split("=", 1) for p in self.headers.get("Sluis-Signature", "t=0,v1=").split(","))
	        want = hmac.new(secret, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
	        is_genuine = hmac.compare_digest(want, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300
	        if is_genuine:
	            with open(f"{folder}/webhook.jsonl", "a") as f:
	                f.write(json.dumps(json.loads(body)) + "\n")
	        self.send_response(204 if is_genuine else 403)
	        self.end_headers()

	    def log_message(self, *_):
	        pass

	server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
	with open(f"{folder}/webhook.port.new", "w") as f:
	    f.write(str(server.server_port))
	os.rename(f"{folder}/webhook.port.new", f"{folder}/webhook.port")
	server.serve_forever()
	EOF
	DEMO_WEB[webhook]=$!
	demo_await test -s "$DEMO/webhook.port" || die "the demo's webhook does not start"
	DEMO_WEBHOOK=$(cat "$DEMO/webhook.port")
}

demo_stop() {
	local p
	for p in ${DEMO_SLUIS:-} ${DEMO_WEB[@]+"${DEMO_WEB[@]}"}; do kill "$p" 2>/dev/null || true; done
	[ -n "${DEMO_SLUIS:-}" ] && wait "$DEMO_SLUIS" 2>/dev/null || true
	[ -z "${DEMO:-}" ] || [ -n "${DEMO_KEEP:-}" ] || rm -rf "$DEMO"
}

demo_get() { curl -sS --max-time 10 --cacert "$DEMO/ca.pem" "$@"; }
demo_url=https://localhost:$DEMO_HTTPS

demo_check() { # TEXT COMMAND...: says whether it held
	local text=$1; shift
	if "$@"; then echo "  ok    $text"; else echo "  FAIL  $text"; DEMO_FAILED=$((DEMO_FAILED + 1)); fi
}

demo_both_answer() { # requests reach both
	local out
	out=$(for i in 1 2 3 4 5 6 7 8; do demo_get "$demo_url/"; done) || return 1
	grep -q 'server 1' <<<"$out" && grep -q 'server 2' <<<"$out"
}
demo_redirects() {
	[ "$(curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' "http://localhost:$DEMO_HTTP/a?b=c")" = "308 $demo_url/a?b=c" ]
}
demo_goes_on() { # no error while one server is gone
	local i
	for i in $(seq 40); do demo_get -f "$demo_url/" | grep -q 'server 1' || return 1; done
}
demo_probe_refused() {
	[ "$(demo_get -o /dev/null -w '%{http_code}' --path-as-is "$demo_url/vpn/../vpns/cfg/smb.conf")" = 403 ]
}
demo_probe_logged() { grep -q '"url.original":"/vpn/../vpns/cfg/smb.conf".*"http.response.status_code":403' "$DEMO/access.log"; }
demo_alerted() { # FILE FIELD...: the last line is the alert of a probe; shows these fields of it
	"$PYTHON" - "$@" <<-'EOF'
	import json, sys
	a = json.loads(open(sys.argv[1]).readlines()[-1])
	assert a["url.original"] == "/vpn/../vpns/cfg/smb.conf" and a["sluis.class"] == "attempt" and a["http.response.status_code"] == 403, a
	for k in sys.argv[2:]:
	    print(f"        {k}: {str(a[k])[:150]}")
	EOF
}
demo_alert_more() { [ "$(wc -l <"$DEMO/alerts.jsonl")" -gt "$DEMO_ALERTS" ]; }
demo_monitor() { build/sluis --lang en -c "$DEMO/sluis.yaml" monitor --once 2>"$DEMO/monitor.log" || { cat "$DEMO/monitor.log"; return 1; }; }
demo_all_told_once() { # what the webhook has is what detection wrote, each once
	"$PYTHON" - "$DEMO" <<-'EOF'
	import json, sys
	wrote, told = ([json.loads(line)["event.id"] for line in open(f"{sys.argv[1]}/{n}.jsonl")] for n in ("alerts", "webhook"))
	assert wrote and wrote == told, (wrote, told)
	EOF
}
demo_window_has_both() {
	local out
	out=$(build/sluis -c "$DEMO/sluis.yaml" window --from -1h --with 127.0.0.1) || return 1
	grep -q app/one <<<"$out" && grep -q app/two <<<"$out" && grep -q wiki/three <<<"$out"
}
demo_wiki_answers() { demo_get -f "$demo_url/wiki/" | grep -q 'web server 3'; }
demo_isolate() { # cuts the download that runs; sets DEMO_CUT_MS
	local begin status=0
	begin=$(date +%s%3N)
	build/sluis -c "$DEMO/sluis.yaml" isolate wiki/three --reason "demo" || return 1
	wait "$DEMO_DOWNLOAD" || status=$?
	DEMO_CUT_MS=$(($(date +%s%3N) - begin))
	[ "$status" != 0 ] && [ "$(stat -c %s "$DEMO/wiki.out")" -lt 20000000 ]
}
demo_isolation_recorded() {
	sqlite3 -readonly "$(ls "$DEMO"/state/ledger/*.ledger | tail -n 1)" \
		"SELECT name || ' ' || outcome FROM record WHERE kind='isolation'" | grep -qx 'target wiki/three isolated'
}
demo_isolated_page() {
	local out
	out=$(demo_get -H 'Accept-Language: nl' -w '\n%{http_code}' "$demo_url/wiki/")
	sed -n 's/^<h1>\(.*\)<\/h1>$/        \1/p; s/.*class="contact">\(.*\)<\/span>.*/        \1/p' <<<"$out"
	grep -q '^503$' <<<"$out" && grep -q 'buiten gebruik gesteld' <<<"$out" && grep -q 'Second contact' <<<"$out"
}
demo_bundle() {
	build/sluis -c "$DEMO/sluis.yaml" evidence collect --for demo --out "$DEMO/evidence.tar" && build/sluis evidence verify "$DEMO/evidence.tar"
}
demo_bundle_changed() { # one byte of its ledger
	local copy=$DEMO/evidence-copy.tar
	cp "$DEMO/evidence.tar" "$copy"
	"$PYTHON" - "$copy" <<-'EOF' || return 1
	import sys, tarfile
	with tarfile.open(sys.argv[1]) as t:
	    m = next(m for m in t if m.name.endswith(".ledger"))
	with open(sys.argv[1], "r+b") as f:
	    f.seek(m.offset_data + m.size // 2)
	    byte = f.read(1)[0]
	    f.seek(-1, 1)
	    f.write(bytes([byte ^ 1]))
	EOF
	! build/sluis evidence verify "$copy"
}
demo_window_page() {
	build/sluis -c "$DEMO/sluis.yaml" window --from -1h --with 127.0.0.1 --html "$DEMO/window.html" >/dev/null && grep -q '<svg' "$DEMO/window.html"
}
demo_tamper() {
	local copy=$DEMO/ledger-copy file out
	cp -r "$DEMO/state/ledger" "$copy"
	file=$(ls "$copy"/*.ledger | head -n 1)
	sqlite3 "$file" "UPDATE record SET client='192.0.2.1' WHERE seq=5" || return 1
	out=$(build/sluis ledger verify "$copy") && return 1
	grep 'record 5 was changed' <<<"$out"
}
demo_appliance() { "$PYTHON" tests/scenario/appliance.py "$DEMO/case" && [ -s "$DEMO/case/gw1.tar.gz" ]; }
demo_window_days="--exposed-from 2020-01-09 --exposed-to 2020-01-21"
demo_hunt() { # the findings; status 1 says that there are some
	local status=0
	build/sluis hunt "$DEMO/case/gw1.tar.gz" $demo_window_days --json >"$DEMO/case/hunt.jsonl" || status=$?
	[ "$status" = 1 ] && tail -n 1 "$DEMO/case/hunt.jsonl" | grep -q '"sluis.verdict":"found"' &&
		grep -q '"sluis.class":"compromise"' "$DEMO/case/hunt.jsonl"
}
demo_assess() { # WANTED OPTIONS...
	local status=0 wanted=$1; shift
	build/sluis --lang en assess --inventory "$DEMO/case/inventory.yaml" --advisory CVE-2019-19781 --appliance gw1 "$@" >"$DEMO/case/assess.txt" || status=$?
	[ "$status" = 1 ] && grep -qx "    Verdict: $wanted" "$DEMO/case/assess.txt" && grep -q '^    Because:' "$DEMO/case/assess.txt"
}
demo_assess_evidence() {
	demo_assess "EVIDENCE OF COMPROMISE" --bundle "$DEMO/case/gw1.tar.gz" --findings "$DEMO/case/hunt.jsonl" &&
		grep -q 'the hunt that was given found signs of compromise' "$DEMO/case/assess.txt"
}
demo_plan() { # the systems of the plan are those of the ledger, all and no others
	build/sluis -c "$DEMO/sluis.yaml" window --from -1h --with client:127.0.0.1 --json >"$DEMO/case/window.json" || return 1
	DEMO_PLAN=$(build/sluis -c "$DEMO/sluis.yaml" plan new --advisory CVE-2019-19781 --appliance gw1 --inventory "$DEMO/case/inventory.yaml" \
		--window "$DEMO/case/window.json" --json | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["id"])') || return 1
	build/sluis -c "$DEMO/sluis.yaml" plan show "$DEMO_PLAN" --json >"$DEMO/case/plan.json" || return 1
	"$PYTHON" - "$DEMO/case" <<-'EOF'
	import json, sys
	window, plan = (json.load(open(f"{sys.argv[1]}/{n}.json")) for n in ("window", "plan"))
	connected = {r["target"].rsplit(":", 1)[0] for r in window["systems"]}
	named = {s["title"]["en"].split()[-1] for s in plan["steps"] if s["id"].startswith("system-")}
	assert connected == named == {"127.0.0.11", "127.0.0.12", "127.0.0.13"}, (connected, named)
	EOF
}
demo_new_contact() { demo_get "$demo_url/vpns/" | grep -q 'Second contact'; }
demo_download_whole() {
	wait "$DEMO_DOWNLOAD" || return 1
	[ "$(stat -c %s "$DEMO/big.out")" = 20000000 ]
}

cmd_demo() {
	[ $# -eq 0 ] || [ "$*" = --once ] || die "usage: ./dev demo [--once]"
	need $BUILD_PACKAGES $DEMO_PACKAGES
	[ $# -eq 0 ] || need $DEMO_BROWSER_PACKAGES
	cmd_build >/dev/null
	declare -gA DEMO_WEB DEMO_PORT
	DEMO_FAILED=0
	DEMO=$(mktemp -d /tmp/sluis-demo.XXXXXX)
	chmod 755 "$DEMO"
	trap demo_stop EXIT
	trap 'exit 130' INT TERM
	demo_certificates
	DEMO_PORT[1]=$(demo_free_port)
	DEMO_PORT[2]=$(demo_free_port)
	demo_web_server 1 "${DEMO_PORT[1]}"
	DEMO_PORT[3]=$(demo_free_port)
	demo_web_server 2 "${DEMO_PORT[2]}"
	demo_web_server 3 "${DEMO_PORT[3]}"
	demo_webhook
	demo_work_server
	demo_config "First contact"
	build/sluis check "$DEMO/sluis.yaml" || die "the demo's configuration is not valid"
	build/sluisd -c "$DEMO/sluis.yaml" 2>"$DEMO/error.log" &
	DEMO_SLUIS=$!
	demo_await demo_get -f "$demo_url/" || { cat "$DEMO/error.log"; die "Sluis does not answer (is port $DEMO_HTTPS or $DEMO_HTTP in use?)"; }

	demo_say "1. Requests are balanced over two web servers"
	demo_check "both servers answer at $demo_url/" demo_await demo_both_answer
	demo_check "http://localhost:$DEMO_HTTP/ redirects to HTTPS" demo_redirects
	demo_say "2. One web server is stopped; traffic goes on"
	kill "${DEMO_WEB[2]}"; wait "${DEMO_WEB[2]}" 2>/dev/null || true
	demo_check "40 requests, no error, all answered by server 1" demo_goes_on
	demo_web_server 2 "${DEMO_PORT[2]}"
	demo_check "it is started again and gets requests again" demo_await demo_both_answer
	demo_say "3. A probe for CVE-2019-19781 is refused"
	demo_check "GET /vpn/../vpns/cfg/smb.conf gets 403" demo_probe_refused
	demo_check "and its line is in the access log:" demo_await demo_probe_logged
	grep '"url.original":"/vpn/../vpns/cfg/smb.conf"' "$DEMO/access.log" | tail -n 1 | cut -c1-300
	demo_say "4. The configuration changes while a download runs"
	demo_get --limit-rate 8M --max-time 60 -o "$DEMO/big.out" "$demo_url/big" &
	DEMO_DOWNLOAD=$!
	demo_await test -s "$DEMO/big.out" || true
	demo_config "Second contact"
	demo_check "sluis reload takes the new configuration" build/sluis -c "$DEMO/sluis.yaml" reload
	demo_check "new requests see it" demo_await demo_new_contact
	demo_check "the download arrived whole" demo_download_whole
	demo_say "5. Who was connected with what, and can the answer be trusted?"
	demo_check "a second application, the wiki, is used too" demo_await demo_wiki_answers
	demo_check "sluis window names all three servers of both applications:" demo_await demo_window_has_both
	build/sluis -c "$DEMO/sluis.yaml" window --from -1h --with 127.0.0.1
	demo_check "the answer as a page: $DEMO/window.html" demo_window_page
	demo_check "the ledger is what was written" build/sluis -c "$DEMO/sluis.yaml" ledger verify
	demo_say "6. The wiki's server is isolated while a download from it runs"
	demo_get --max-time 60 -o "$DEMO/wiki.out" "$demo_url/wiki/big" 2>/dev/null &
	DEMO_DOWNLOAD=$!
	demo_await test -s "$DEMO/wiki.out" || true
	demo_check "the download is cut" demo_isolate
	demo_check "within a second of the command: ${DEMO_CUT_MS:-never} ms" test "${DEMO_CUT_MS:-9999}" -lt 1000
	demo_check "a new request gets a page that says whom to call:" demo_isolated_page
	demo_check "the other application goes on" demo_both_answer
	demo_check "it is recorded" demo_await demo_isolation_recorded
	demo_check "sluis release gives it back" build/sluis -c "$DEMO/sluis.yaml" release wiki/three
	demo_check "the wiki answers again" demo_await demo_wiki_answers
	demo_say "7. Evidence is preserved"
	demo_check "sluis evidence collect makes a bundle that verifies" demo_bundle
	demo_check "one byte in a copy is changed; verify names where" demo_bundle_changed
	demo_say "8. Somebody changes the ledger"
	demo_check "a record is changed in a copy; verify names it:" demo_tamper
	demo_say "9. The probe alerts: it was blocked, and somebody hears of it"
	DEMO_ALERTS=$(wc -l <"$DEMO/alerts.jsonl") # of act 3; with the new configuration of act 4 the watcher is new, so the next is told at once
	demo_check "a probe gets 403" demo_probe_refused
	demo_check "detection wrote an alert" demo_await demo_alert_more
	demo_check "it says who asked for what, what that means, and what to do" demo_alerted "$DEMO/alerts.jsonl" \
		source.ip url.original rule.name vulnerability.id sluis.class sluis.next
	demo_check "sluis monitor --once delivers it to a webhook" demo_monitor
	demo_check "the webhook has it, with a signature that holds" demo_alerted "$DEMO/webhook.jsonl" event.id url.original
	demo_check "once more, and nothing is told twice" demo_monitor
	demo_check "the webhook has each alert once, and all of them" demo_all_told_once
	demo_say "10. An advisory comes: was the NetScaler gw1 compromised, and what then?"
	demo_check "a technical support bundle of an attacked appliance is made (invented: $DEMO/case)" demo_appliance
	demo_check "its mitigation came too late: assume compromised" demo_assess "ASSUME COMPROMISED" --bundle "$DEMO/case/gw1.tar.gz"
	demo_check "sluis hunt finds signs of compromise in it:" demo_hunt
	build/sluis --lang en hunt "$DEMO/case/gw1.tar.gz" $demo_window_days | grep -A 20 -E '^Timeline' | grep -E '^  2020|^Verdict' || true
	demo_check "with these findings sluis assess says evidence of compromise, and why:" demo_assess_evidence
	sed -n '/^    Verdict:/,/^    Next:/p' "$DEMO/case/assess.txt" | sed '$d'
	demo_check "sluis plan has a step for every system that the ledger says was connected, and no other:" demo_plan
	build/sluis --lang en -c "$DEMO/sluis.yaml" plan show "${DEMO_PLAN:-none}" | grep -E '^(clock|disconnect|certificate|system)' || true
	demo_act_portal
	if [ "${1:-}" = --once ]; then
		demo_act_browser
		kill "$DEMO_SLUIS"
		demo_check "Sluis ends when it is told to" demo_await sh -c "! kill -0 $DEMO_SLUIS"
		[ "$DEMO_FAILED" = 0 ] || { DEMO_KEEP=1; cat "$DEMO/error.log"; echo "$DEMO_FAILED of the demo's checks failed (kept: $DEMO)"; exit 1; }
		demo_say "All of it held."
		exit 0
	fi
	demo_say "Sluis runs. Open $demo_url/ (the CA to trust is $DEMO/ca.pem), try:"
	cat <<-EOF
	  curl --cacert $DEMO/ca.pem $demo_url/
	  build/sluis -c $DEMO/sluis.yaml status
	  \$EDITOR $DEMO/sluis.yaml; build/sluis -c $DEMO/sluis.yaml reload
	  tail -f $DEMO/access.log
	The portal for home workers is at $demo_portal/:
	$(demo_people)
	Stop it with Ctrl-C; everything is removed then.
	EOF
	wait "$DEMO_SLUIS"
}
