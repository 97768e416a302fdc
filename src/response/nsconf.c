/* Words are views of the file where nothing had to be taken out, copies where an escape was. */
#include "response/nsconf.h"

#define DAMAGED_LOOKED 256

struct scan {
	struct bytes in;
	size_t at;
	unsigned line;
	struct nsconf *out;
	struct bytes words[NSCONF_WORDS_MAX];
	size_t count;
	bool is_damaged;
};

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_line_end(const struct scan *s)
{
	return s->at >= s->in.len || s->in.at[s->at] == '\n';
}

static size_t line_end(const struct scan *s, size_t from)
{
	size_t n = bytes_find_byte(bytes_cut(s->in, from, s->in.len), '\n');

	return n == SIZE_MAX ? s->in.len : from + n;
}

/* Where a quote that began at s->at ends; SIZE_MAX: it does not. */
static size_t quote_end(const struct scan *s, unsigned char close, bool has_escapes)
{
	size_t most = s->in.len - s->at > NSCONF_QUOTE_MAX ? s->at + NSCONF_QUOTE_MAX : s->in.len;

	if (s->out->damaged > DAMAGED_LOOKED) /* a file made of these must not cost a look ahead for each */
		most = line_end(s, s->at);
	for (size_t i = s->at; i < most; i++) {
		if (has_escapes && s->in.at[i] == '\\')
			i++;
		else if (s->in.at[i] == close)
			return i;
	}
	return SIZE_MAX;
}

static struct bytes unescaped(struct scan *s, struct bytes b)
{
	unsigned char *copy;
	size_t n = 0;

	if (bytes_find_byte(b, '\\') == SIZE_MAX)
		return b;
	copy = arena_alloc_raw(&s->out->arena, b.len);
	if (!copy)
		return bytes_of(NULL, 0);
	for (size_t i = 0; i < b.len; i++) {
		if (b.at[i] == '\\' && i + 1 < b.len)
			i++;
		copy[n++] = b.at[i];
	}
	return bytes_of(copy, n);
}

static void keep_word(struct scan *s, struct bytes w)
{
	if (s->count < NSCONF_WORDS_MAX)
		s->words[s->count++] = w;
	else
		s->is_damaged = true;
}

/* A quote goes on over lines; one without an end costs its own line and no more. */
static void take_quoted(struct scan *s, size_t open, unsigned char close, bool has_escapes)
{
	size_t end;

	s->at += open;
	end = quote_end(s, close, has_escapes);
	if (end == SIZE_MAX) {
		s->is_damaged = true;
		end = line_end(s, s->at);
		keep_word(s, bytes_cut(s->in, s->at, end));
		s->at = end;
		return;
	}
	for (size_t i = s->at; i < end; i++)
		s->line += s->in.at[i] == '\n';
	keep_word(s, has_escapes ? unescaped(s, bytes_cut(s->in, s->at, end)) : bytes_cut(s->in, s->at, end));
	s->at = end + 1;
}

/* q/.../ and q{...}: the appliance's quotes without escapes. */
static unsigned char q_close(const struct scan *s)
{
	unsigned char c = s->in.len - s->at > 2 && s->in.at[s->at] == 'q' ? s->in.at[s->at + 1] : 0;

	if (c == '{')
		return '}';
	if (c == '<')
		return '>';
	return c && strchr("/|~$^+=&%@`?", c) ? c : 0;
}

static void take_word(struct scan *s)
{
	unsigned char c = s->in.at[s->at], close = q_close(s);
	size_t begin = s->at;

	if (c == '"' || c == '\'') {
		take_quoted(s, 1, c, c == '"');
		return;
	}
	if (close) {
		take_quoted(s, 2, close, false);
		return;
	}
	while (!is_line_end(s) && !is_blank(s->in.at[s->at]))
		s->at++;
	keep_word(s, bytes_cut(s->in, begin, s->at));
}

/* A backslash as the last thing of a line joins the next one to it. */
static bool joins(struct scan *s)
{
	size_t at = s->at + 1;

	if (s->in.at[s->at] != '\\')
		return false;
	if (at < s->in.len && s->in.at[at] == '\r')
		at++;
	if (at >= s->in.len || s->in.at[at] != '\n')
		return false;
	s->at = at + 1;
	s->line++;
	return true;
}

static enum err keep_command(struct scan *s, unsigned line)
{
	struct nsconf *c = s->out;
	struct bytes *words;

	if (c->count == NSCONF_COMMANDS_MAX)
		return ERR_LIMIT;
	words = arena_array(&c->arena, s->count, sizeof(*words));
	if (!words)
		return ERR_MEMORY;
	memcpy(words, s->words, s->count * sizeof(*words));
	c->commands[c->count++] = (struct nsconf_command){ words, s->count, line };
	return OK;
}

static enum err read_line(struct scan *s, size_t *taken)
{
	unsigned line = s->line;

	s->count = 0;
	s->is_damaged = false;
	while (!is_line_end(s)) {
		if (is_blank(s->in.at[s->at]))
			s->at++;
		else if (s->count == 0 && s->in.at[s->at] == '#')
			s->at = line_end(s, s->at);
		else if (!joins(s))
			take_word(s);
	}
	s->at++;
	s->line++;
	if (s->is_damaged && s->out->damaged++ == 0)
		s->out->damaged_line = line;
	if (s->count == 0)
		return OK;
	*taken += 1;
	return keep_command(s, line);
}

static const char *const verbs[] = { "add", "set", "bind", "enable", "disable", "unset", "unbind", "rm", "link", "apply", "import" };

static bool is_command(const struct nsconf_command *c)
{
	for (size_t i = 0; i < COUNT_OF(verbs); i++)
		if (bytes_eq_nocase(c->words[0], bytes_str(verbs[i])))
			return true;
	return false;
}

static void read_facts(struct nsconf *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (nsconf_is(&c->commands[i], "set ns hostName"))
			c->host_name = nsconf_word(&c->commands[i], 3);
}

enum err nsconf_read(struct bytes in, struct nsconf *out)
{
	struct scan s = { .in = in, .line = 1, .out = out };
	size_t lines = 1, taken = 0, known = 0;

	memset(out, 0, sizeof(*out));
	if (in.len > NSCONF_BYTES_MAX)
		return ERR_LIMIT;
	for (size_t i = 0; i < in.len; i++)
		lines += in.at[i] == '\n';
	arena_init_growing(&out->arena, (size_t)16 * NSCONF_BYTES_MAX);
	out->commands = arena_array(&out->arena, lines < NSCONF_COMMANDS_MAX ? lines : NSCONF_COMMANDS_MAX, sizeof(*out->commands));
	if (!out->commands)
		return ERR_MEMORY;
	out->has_version = ns_version_parse(bytes_cut(in, 0, line_end(&s, 0)), &out->version) == OK;
	while (s.at < in.len)
		TRY(read_line(&s, &taken));
	for (size_t i = 0; i < out->count; i++)
		known += is_command(&out->commands[i]);
	read_facts(out);
	return known || out->has_version ? OK : ERR_SYNTAX;
}

void nsconf_fini(struct nsconf *c)
{
	arena_fini(&c->arena);
	memset(c, 0, sizeof(*c));
}

bool nsconf_is(const struct nsconf_command *c, const char *begin)
{
	for (size_t i = 0; *begin; i++) {
		size_t n = strcspn(begin, " ");

		if (i >= c->count || !bytes_eq_nocase(c->words[i], bytes_of(begin, n)))
			return false;
		begin += n + (begin[n] == ' ');
	}
	return true;
}

struct bytes nsconf_word(const struct nsconf_command *c, size_t n)
{
	return n < c->count ? c->words[n] : bytes_of(NULL, 0);
}

struct bytes nsconf_option(const struct nsconf_command *c, const char *name)
{
	for (size_t i = 0; i + 1 < c->count; i++)
		if (c->words[i].len > 1 && c->words[i].at[0] == '-' && bytes_eq_nocase(bytes_cut(c->words[i], 1, c->words[i].len), bytes_str(name)))
			return c->words[i + 1];
	return bytes_of(NULL, 0);
}
