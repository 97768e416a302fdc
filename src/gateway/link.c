/* Where a person may be sent on to, and values within links. */
#include "gateway/form.h"

struct bytes link_local(struct bytes to)
{
	bool in_path = true;

	if (to.len == 0 || to.len > LINK_MAX || to.at[0] != '/')
		return BYTES("");
	for (size_t i = 0; i < to.len; i++) {
		unsigned char c = to.at[i];
		/* Browsers read '\' as '/', and leave tabs and line ends out before they read at all (URL Standard, 4.4). */
		if (c <= ' ' || c > 126 || c == '\\')
			return BYTES("");
		if (c == '?' || c == '#')
			in_path = false;
		/* Not only in front: "/.//host" is "//host" to who takes dot segments out. */
		if (in_path && c == '/' && i && to.at[i - 1] == '/')
			return BYTES("");
	}
	return to;
}

bool link_is_host(struct bytes host)
{
	if (host.len == 0 || host.len > 253 || host.at[0] == '.')
		return false;
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = host.at[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && (c != '.' || (i && host.at[i - 1] == '.')))
			return false;
	}
	return true;
}

bool link_is_target(struct bytes to)
{
	bool in_path = true;

	if (to.len == 0 || to.len > LINK_MAX || to.at[0] != '/' || bytes_starts(to, BYTES("//")))
		return false;
	for (size_t i = 0; i < to.len; i++) {
		unsigned char c = to.at[i];

		in_path = in_path && c != '?';
		if (c <= ' ' || c == 127 || (in_path && c == '\\'))
			return false;
	}
	return true;
}

void link_encode(struct text *t, struct bytes b)
{
	text_uri(t, b);
}
