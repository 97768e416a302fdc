/* Any stream, at once and octet by octet: the same messages, the same end. */
#include "watch/syslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_message(void *ctx, struct bytes message)
{
	uint64_t *sum = ctx;

	CHECK(message.len > 0 && message.len <= SYSLOG_MESSAGE_MAX);
	*sum = *sum * 31 + message.len;
	for (size_t i = 0; i < message.len; i++)
		*sum = *sum * 31 + message.at[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct syslog_frames whole, pieces;
	uint64_t a = 0, b = 0;
	enum err e, f = OK;

	syslog_frames_init(&whole);
	syslog_frames_init(&pieces);
	e = syslog_frames_feed(&whole, bytes_of(data, size), on_message, &a);
	for (size_t i = 0; i < size && f == OK; i++)
		f = syslog_frames_feed(&pieces, bytes_of(data + i, 1), on_message, &b);
	CHECK(e == f && whole.reason == pieces.reason);
	if (e == OK)
		CHECK(syslog_frames_end(&whole, on_message, &a) == syslog_frames_end(&pieces, on_message, &b));
	CHECK(a == b && whole.messages == pieces.messages && whole.cut == pieces.cut && whole.passed_over == pieces.passed_over);
	return 0;
}
