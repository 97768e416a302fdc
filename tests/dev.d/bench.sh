# ./dev bench. Sourced by dev.
cmd_bench() {
	local name=${1:-}
	[ -n "$name" ] && [ -f "bench/$name.py" ] ||
		die "usage: ./dev bench NAME [...]; names: $(cd bench && ls -- *.py | sed 's/\.py$//' | tr '\n' ' ')"
	shift
	need $BUILD_PACKAGES $BENCH_PACKAGES
	[ -f build/build.ninja ] || meson setup build --buildtype=release -Db_lto=true >/dev/null
	ninja -C build all bench/bench_floor bench/bench_backend bench/bench_load bench/bench_ledger bench/bench_nslog >build/ninja.log 2>&1 ||
		{ cat build/ninja.log; die "the benchmark does not build"; }
	"$PYTHON" "bench/$name.py" --build "$PWD/build" "$@"
}
