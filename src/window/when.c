/* Every digit is looked at: what is almost a time is refused. */
#include "window/when.h"

#include "ledger/chain.h"

#define SECOND UINT64_C(1000000)

static enum err relative(struct bytes in, uint64_t now_us, uint64_t *out)
{
	uint64_t n, unit;

	if (in.len < 3)
		return ERR_SYNTAX;
	switch (in.at[in.len - 1]) {
	case 's': unit = 1; break;
	case 'm': unit = 60; break;
	case 'h': unit = 3600; break;
	case 'd': unit = 86400; break;
	default: return ERR_SYNTAX;
	}
	if (bytes_u64(bytes_cut(in, 1, in.len - 1), &n) != OK)
		return ERR_SYNTAX;
	if (n > now_us / SECOND / unit)
		return ERR_LIMIT;
	*out = now_us - n * unit * SECOND;
	return OK;
}

/* Two digits, at most most. */
static bool two(struct bytes in, size_t at, uint64_t most, uint64_t *out)
{
	return in.len >= at + 2 && bytes_u64(bytes_cut(in, at, at + 2), out) == OK && *out <= most;
}

/* "Z", "+01:00", "-05:30" or nothing, which is UTC; in seconds east. */
static bool zone(struct bytes in, int64_t *east_s)
{
	uint64_t h, m;

	*east_s = 0;
	if (in.len == 0 || bytes_eq(in, BYTES("Z")) || bytes_eq(in, BYTES("z")))
		return true;
	if (in.len != 6 || (in.at[0] != '+' && in.at[0] != '-') || in.at[3] != ':' || !two(in, 1, 14, &h) || !two(in, 4, 59, &m))
		return false;
	*east_s = (int64_t)(h * 3600 + m * 60) * (in.at[0] == '-' ? -1 : 1);
	return true;
}

static enum err clock_time(struct bytes in, uint64_t day, bool is_end, uint64_t *out)
{
	uint64_t h, m, s = 0;
	int64_t east;
	size_t at = 5;
	bool has_seconds = false;

	if (!two(in, 0, 23, &h) || in.len < 5 || in.at[2] != ':' || !two(in, 3, 59, &m))
		return ERR_SYNTAX;
	if (in.len > at && in.at[at] == ':') {
		if (!two(in, 6, 59, &s))
			return ERR_SYNTAX;
		has_seconds = true;
		at = 8;
		if (in.len > at && in.at[at] == '.')
			for (at++; at < in.len && in.at[at] >= '0' && in.at[at] <= '9';)
				at++;
	}
	if (!zone(bytes_cut(in, at, in.len), &east))
		return ERR_SYNTAX;
	if (east > 0 && day + (h * 3600 + m * 60 + s) * SECOND < (uint64_t)east * SECOND)
		return ERR_LIMIT;
	*out = (uint64_t)((int64_t)(day + (h * 3600 + m * 60 + s) * SECOND) - east * (int64_t)SECOND);
	if (is_end) /* the whole second, or minute, belongs to it */
		*out += (has_seconds ? SECOND : 60 * SECOND) - 1;
	return OK;
}

enum err when_parse(struct bytes in, uint64_t now_us, bool is_end, uint64_t *out)
{
	uint64_t day;

	if (bytes_eq(in, BYTES("now"))) {
		*out = now_us;
		return OK;
	}
	if (in.len && in.at[0] == '-')
		return relative(in, now_us, out);
	if (in.len < LEDGER_DAY_LEN || chain_day_parse(bytes_cut(in, 0, LEDGER_DAY_LEN), &day) != OK)
		return ERR_SYNTAX;
	if (in.len == LEDGER_DAY_LEN) {
		*out = is_end ? day + 86400 * SECOND - 1 : day;
		return OK;
	}
	if (in.at[LEDGER_DAY_LEN] != 'T' && in.at[LEDGER_DAY_LEN] != ' ' && in.at[LEDGER_DAY_LEN] != 't')
		return ERR_SYNTAX;
	return clock_time(bytes_cut(in, LEDGER_DAY_LEN + 1, in.len), day, is_end, out);
}
