/* Tables of configurations with the lines that tell each one's mistakes. Whoever includes it has some_files(). */
#ifndef TESTS_CONF_CASES_H
#define TESTS_CONF_CASES_H

#include "conf/conf.h"

struct conf_case { const char *why, *text, *lines; }; /* lines: "LINE:COLUMN: what; hint\n", empty: it is right */

static inline void check_cases(const struct conf_case *cases, size_t n)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct conf_source source = { .get = some_files };
		struct conf_errors errors;
		struct conf *conf = NULL;
		unsigned char mem[4096];
		struct text got;
		enum err e = conf_load(BYTES("t.yaml"), bytes_str(cases[i].text), &source, &conf, &errors);

		text_init(&got, mem, sizeof mem);
		for (size_t k = 0; k < errors.count; k++) {
			const struct conf_error *f = &errors.list[k];
			text_fmt(&got, "%u:%u: %.*s%s%.*s\n", f->line, f->column, FMT(f->what), f->hint.len ? "; " : "", FMT(f->hint));
		}
		text_byte(&got, 0);
		if (strcmp((const char *)got.at, cases[i].lines) != 0 || e != (*cases[i].lines ? ERR_SYNTAX : OK)) {
			fprintf(stderr, "%s\nwanted:\n%sgot:\n%s", cases[i].why, cases[i].lines, (const char *)got.at);
			wrong++;
		}
		conf_free(&conf);
	}
	assert_int_equal(wrong, 0);
}

static inline struct conf *load(const char *text)
{
	struct conf_source source = { .get = some_files };
	struct conf_errors errors;
	struct conf *c = NULL;

	if (conf_load(BYTES("t.yaml"), bytes_str(text), &source, &c, &errors) != OK)
		fail_msg("%u:%u: %.*s", errors.list[0].line, errors.list[0].column, FMT(errors.list[0].what));
	return c;
}

#define assert_bytes(got, want) assert_true(bytes_eq((got), BYTES(want)))

#endif
