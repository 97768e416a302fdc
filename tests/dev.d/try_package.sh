#!/bin/sh
# Inside a fresh Debian: installs the package, later removes and purges it, and looks for what is left. Its caller is
# ./dev package --try.
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
traces() { # what the package made
	find / -xdev \( -path /proc -o -path /root -o -path /var/lib/apt -o -path /var/cache -o -path /var/log/apt -o -path /sys \) -prune -o \
		-name '*sluis*' -print
	grep -s '^sluis' /etc/passwd /etc/group /etc/shadow || true
}
case $1 in
install)
	apt-get update -qq
	[ -z "$(traces)" ]
	apt-get install -y -qq --no-install-recommends /root/sluis.deb logrotate >/root/apt.log 2>&1 || { tail -20 /root/apt.log; exit 1; }
	apt-get install -y -qq --no-install-recommends python3-minimal libpython3-stdlib >/root/apt2.log 2>&1 || { tail -20 /root/apt2.log; exit 1; }
	;;
remove)
	echo "# changed" >>/etc/sluis/sluis.yaml
	apt-get remove -y -qq sluis >/dev/null 2>&1
	[ -f /etc/sluis/sluis.yaml ] || { echo "FAIL  remove took the configuration"; exit 1; }
	[ ! -e /usr/bin/sluisd ] || { echo "FAIL  remove left programs"; exit 1; }
	apt-get purge -y -qq sluis >/dev/null 2>&1
	left=$(traces)
	[ -z "$left" ] || { echo "FAIL  purge left: $left"; exit 1; }
	echo "  ok    remove keeps the configuration, purge leaves nothing"
	;;
esac
