/* A new password as somebody typed it, and a name: up to the first line's end the name. */
#include "auth/password.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes all = bytes_of(data, size), name, password;
	size_t end = bytes_find_byte(all, '\n');
	const char *why;

	name = bytes_cut(all, 0, end);
	password = end == SIZE_MAX ? bytes_cut(all, 0, 0) : bytes_cut(all, end + 1, size);
	why = password_refusal(password, name);
	if (!why)
		CHECK(password.len >= PASSWORD_LEAST && password.len <= PASSWORD_MOST && bytes_find_byte(password, 0) == SIZE_MAX);
	else
		CHECK(*why && strlen(why) < 16);
	return 0;
}
