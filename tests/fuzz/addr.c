/* Any text as an address, with and without port, and as a prefix: what is read, written and read again is the same;
 * a prefix holds its own address. */
#include "net/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct addr a = { 0 }, b = { 0 };
	struct sockaddr_storage sa;
	struct addr_prefix p;
	unsigned char mem[128];
	struct text t;

	text_init(&t, mem, sizeof mem);
	if (addr_parse_ip(in, &a) == OK) {
		addr_write_ip(&a, &t);
		CHECK(!t.failed && addr_parse_ip(text_bytes(&t), &b) == OK && memcmp(a.ip, b.ip, sizeof a.ip) == 0);
		CHECK(addr_parse_prefix(in, &p) == OK && p.bits == 128 && addr_in(&a, &p));
	}
	text_init(&t, mem, sizeof mem);
	if (addr_parse(in, &a) == OK) {
		CHECK(a.port > 0);
		addr_write(&a, &t);
		CHECK(!t.failed && addr_parse(text_bytes(&t), &b) == OK && memcmp(a.ip, b.ip, sizeof a.ip) == 0 && a.port == b.port);
		CHECK(addr_from_sockaddr((struct sockaddr *)&sa, addr_to_sockaddr(&a, &sa), &b) == OK);
		CHECK(memcmp(a.ip, b.ip, sizeof a.ip) == 0 && a.port == b.port);
	}
	if (addr_parse_prefix(in, &p) == OK) {
		memcpy(a.ip, p.ip, sizeof a.ip);
		CHECK(p.bits <= 128 && addr_in(&a, &p));
		if (p.bits) { /* the last bit of the prefix decides */
			a.ip[(p.bits - 1) / 8] ^= (unsigned char)(0x80 >> (p.bits - 1) % 8);
			CHECK(!addr_in(&a, &p));
		}
	}
	return 0;
}
