/* Any message: what is taken out of it lies in it, its line is one line, and the appliance's log takes it. */
#include "watch/syslog.h"

#define NOW UINT64_C(1779613953000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_inside(struct bytes part, struct bytes whole)
{
	CHECK(part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[4 * SYSLOG_MESSAGE_MAX + 256];
	struct bytes in = bytes_of(data, size > SYSLOG_MESSAGE_MAX ? SYSLOG_MESSAGE_MAX : size);
	struct syslog_message m;
	struct text t;

	if (syslog_message_parse(in, NOW, &m) != OK)
		return 0;
	CHECK(m.facility < 24 && m.severity < 8 && (m.has_time || m.at_us == NOW) && (m.has_time || !m.has_year));
	is_inside(m.host, in);
	is_inside(m.program, in);
	is_inside(m.pid, in);
	is_inside(m.msgid, in);
	is_inside(m.message, in);
	text_init(&t, mem, sizeof(mem));
	syslog_message_put_line(&t, &m);
	CHECK(!t.failed && bytes_find_byte(text_bytes(&t), '\n') == SIZE_MAX && bytes_find_byte(text_bytes(&t), 0) == SIZE_MAX);
	return 0;
}
