# ./dev package: a Debian package from a release build; --try installs it in a fresh Debian 12 and looks at everything
# that it promises. Sourced by dev.
PACKAGE_PACKAGES="debhelper dpkg-dev fakeroot"
TRY_PACKAGES="debootstrap iproute2 util-linux"

package_build() { # leaves build-package/sluis_VERSION_ARCH.deb and says so
	local work out=build-package version
	version=$(cat VERSION)
	work=$(mktemp -d /tmp/sluis-package.XXXXXX)
	mkdir -p "$work/sluis" "$out"
	tar --exclude='./build*' --exclude=./.git --exclude='__pycache__' -cf - . | tar -C "$work/sluis" -xf -
	mv "$work/sluis/packaging/debian" "$work/sluis/debian"
	sed -i 's|^packaging/debian/|debian/|' "$work/sluis/debian/sluis.install"
	printf 'sluis (%s) unstable; urgency=medium\n\n  * Version %s.\n\n -- %s  %s\n' "$version" "$version" \
		"$(sed -n 's/^Maintainer: //p' packaging/debian/control)" "$(date -R -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y VERSION)}")" \
		>"$work/sluis/debian/changelog"
	if ! (cd "$work/sluis" && DEB_BUILD_OPTIONS="parallel=2 noautodbgsym" dpkg-buildpackage -b -us -uc) >"$out/build.log" 2>&1; then
		tail -40 "$out/build.log" >&2
		rm -rf "$work"
		die "the package does not build; the whole log is $out/build.log"
	fi
	rm -f "$out"/*.deb
	mv "$work"/*.deb "$out/"
	rm -rf "$work"
	PACKAGE=$(ls "$PWD/$out"/sluis_*.deb)
	echo "$PACKAGE"
}

# A fresh Debian 12 in $1, with this machine's sources of Debian itself and none besides.
package_debootstrap() {
	local mirror
	mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^ *#' | grep -oE 'https?://[^ ]+/debian/?( |$)' |
		head -n 1 | tr -d ' ' || true)
	debootstrap --variant=minbase bookworm "$1" "${mirror:-http://deb.debian.org/debian}" >"$1.log" 2>&1 ||
		{ tail -20 "$1.log" >&2; die "debootstrap failed"; }
}

package_inside() { # [--net] COMMAND...: in $root, with processes, mounts and, when asked, a loopback of its own
	local net=() up=:
	[ "$1" != --net ] || { net=(--net); up="ip link set lo up"; shift; }
	unshare ${net[@]+"${net[@]}"} --pid --mount --fork -- sh -c "$up"' && mount -t proc proc "$0/proc" &&
		mount -t tmpfs tmpfs "$0/run" && exec chroot "$0" "$@"' "$root" "$@"
}

package_try() {
	local work root
	[ "$(id -u)" = 0 ] || die "--try needs root: it makes a Debian of its own and goes into it"
	need $TRY_PACKAGES
	work=$(mktemp -d /tmp/sluis-try.XXXXXX)
	trap "rm -rf --one-file-system '$work'" EXIT
	root=$work/debian
	if [ -n "${SLUIS_TRY_BASE:-}" ]; then cp -a "$SLUIS_TRY_BASE" "$root"; else package_debootstrap "$root"; fi
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	cp "$PACKAGE" "$root/root/sluis.deb"
	cp tests/dev.d/try_installed.py tests/dev.d/try_package.sh "$root/root/"
	package_inside sh /root/try_package.sh install || die "installing failed"
	# Ports, processes and mounts of its own: nothing of it is seen outside, and nothing outlives it.
	package_inside --net python3 /root/try_installed.py || die "what was installed does not hold"
	package_inside sh /root/try_package.sh remove || die "removing failed"
	echo "All of it held."
}

cmd_package() {
	[ $# -eq 0 ] || [ "$*" = --try ] || die "usage: ./dev package [--try]"
	need $BUILD_PACKAGES $PACKAGE_PACKAGES
	package_build
	[ "${1:-}" != --try ] || package_try
}
