# ./dev test and ./dev fuzz. Sourced by dev.
FUZZ_SECONDS=${FUZZ_SECONDS:-1}
ALONE="pages passkey_script portal_browser device_browser gateway_walk" # a browser needs the whole machine
BESIDE="session_limits" # they wait for minutes that must pass, and compute little: beside the unit tests, which give way to them

cmd_test() {
	need $BUILD_PACKAGES $TEST_PACKAGES
	local passed=0 failed=0 log p f
	[ -f build-test/build.ninja ] || meson setup build-test -Doptimization=1 -Ddebug=false -Dc_args=-g1 \
		-Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	# The fuzz targets are built meanwhile, with what processor time is left: some tests wait, some have one core to themselves.
	local fuzz_builder=
	if grep -q "^  '" tests/fuzz/meson.build; then
		(renice -n 19 "$BASHPID" >/dev/null && fuzz_build) &
		fuzz_builder=$!
	fi
	local name others=() alone=() beside=() beside_run=
	for name in $ALONE; do
		alone+=("tests/scenario/test_$name.py"); others+=("--ignore=tests/scenario/test_$name.py")
	done
	for name in $BESIDE; do
		beside+=("tests/scenario/test_$name.py"); others+=("--ignore=tests/scenario/test_$name.py")
	done
	rm -f build-test/scenario*.log
	# Unit, house and seed tests.
	if ninja -C build-test >build-test/ninja.log 2>&1; then
		SLUIS_BUILD=$PWD/build-test "$PYTHON" -m pytest -q -p no:cacheprovider "${beside[@]}" >build-test/scenario-beside.log 2>&1 &
		beside_run=$!
		log=build-test/meson-test.log
		nice -n 15 meson test -C build-test --print-errorlogs >"$log" 2>&1 || true
		grep -E '^ *[0-9]+/[0-9]+ ' "$log" || true
		p=$(awk '/^Ok:/{print $2}' "$log"); f=$(awk '/^(Fail|Timeout|Unexpected Pass|Skipped):/{n+=$NF} END{print n+0}' "$log")
		[ "${f:-1}" = 0 ] || cat "$log"
		passed=$((passed + ${p:-0})); failed=$((failed + ${f:-1}))
		[ -n "$p" ] || { cat "$log"; failed=$((failed + 1)); }
	else
		cat build-test/ninja.log; failed=$((failed + 1))
	fi
	# Scenarios: real processes, real peers. Memory is measured on the release build.
	cmd_build >build-test/release.log 2>&1 || { cat build-test/release.log; failed=$((failed + 1)); }
	# They mostly wait, so two files run side by side, each in its order; the longest begin (tests/scenario/conftest.py).
	[ -z "$beside_run" ] || wait "$beside_run" || true
	[ -z "$beside_run" ] || cat build-test/scenario-beside.log
	SLUIS_BUILD=$PWD/build-test "$PYTHON" -m pytest -q -p no:cacheprovider -n 2 --dist loadfile --durations=60 "${others[@]}" tests/scenario 2>&1 |
		tee build-test/scenario.log || true
	# Short fuzz runs, seeded: with what processor time the browsers leave.
	local fuzzing= t
	if [ -n "$fuzz_builder" ] && ! wait "$fuzz_builder"; then
		failed=$((failed + 1)); echo "the fuzz targets: FAILED"
	elif [ -n "$fuzz_builder" ]; then
		rm -f build-fuzz/*.passed
		(renice -n 19 "$BASHPID" >/dev/null
			for t in $(fuzz_names); do
				fuzz_run "$t" "$FUZZ_SECONDS" >build-fuzz/$t.log 2>&1 && touch "build-fuzz/$t.passed"
			done) &
		fuzzing=$!
	fi
	SLUIS_BUILD=$PWD/build-test "$PYTHON" -m pytest -q -p no:cacheprovider "${alone[@]}" 2>&1 | tee build-test/scenario-alone.log || true
	for log in build-test/scenario.log build-test/scenario-beside.log build-test/scenario-alone.log; do
		name=$({ grep -E '^(=+ )?([0-9]+ [a-z]+, )*[0-9]+ [a-z]+ in [0-9.]+s' "$log" 2>/dev/null || true; } | tail -1) # pytest's own last line
		p=$(grep -oE '[0-9]+ passed' <<<"$name" | cut -d' ' -f1 || true)
		f=$({ grep -oE '[0-9]+ (failed|errors?|skipped|xfailed|xpassed)' <<<"$name" || true; } | awk '{n+=$1} END{print n+0}')
		passed=$((passed + ${p:-0})); failed=$((failed + ${f:-0}))
		[ -n "$p" ] || failed=$((failed + 1))
	done
	[ -z "$fuzzing" ] || wait "$fuzzing" || true
	for t in $([ -z "$fuzzing" ] || fuzz_names); do
		if [ -f "build-fuzz/$t.passed" ]; then
			passed=$((passed + 1)); echo "fuzz $t: ${FUZZ_SECONDS}s ok"
		else
			failed=$((failed + 1)); echo "fuzz $t: FAILED"; tail -40 "build-fuzz/$t.log"
		fi
	done
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

fuzz_names() { sed -n "s/^  '\([a-z0-9_]*\)'.*/\1/p" tests/fuzz/meson.build; }

fuzz_build() {
	need $BUILD_PACKAGES clang-14 libclang-rt-14-dev
	[ -f build-fuzz/build.ninja ] || CC=clang-14 meson setup build-fuzz -Doptimization=1 -Ddebug=false -Dc_args=-gline-tables-only \
		-Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true >/dev/null
	ninja -C build-fuzz $(for t in $(fuzz_names); do echo "tests/fuzz/fuzz_$t"; done) >build-fuzz/ninja.log 2>&1 ||
		{ cat build-fuzz/ninja.log; die "the fuzz targets do not build"; }
}

fuzz_run() { # TARGET SECONDS: new inputs go to a folder of their own, seeds stay as they are
	local work=build-fuzz/corpus/$1
	mkdir -p "$work" build-fuzz/found
	local words=()
	[ ! -f tests/fuzz/dictionaries/"$1".dict ] || words=(-dict=tests/fuzz/dictionaries/"$1".dict)
	build-fuzz/tests/fuzz/fuzz_"$1" ${words[@]+"${words[@]}"} -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
		-artifact_prefix=build-fuzz/found/"$1"- "$work" tests/fuzz/seeds/"$1"
}

cmd_fuzz() {
	[ $# -eq 2 ] || die "usage: ./dev fuzz TARGET SECONDS; targets: $(fuzz_names | tr '\n' ' ')"
	fuzz_build
	fuzz_run "$1" "$2"
}
