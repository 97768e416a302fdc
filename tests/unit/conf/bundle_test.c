/* A bundle gives back what was put in; a cut or lengthened one is refused, whatever the place. */
#include "conf/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static enum err two_files(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s;
	(void)arena;
	if (bytes_eq(path, BYTES("a.pem")))
		*out = BYTES("first");
	else if (bytes_eq(path, BYTES("empty")))
		*out = BYTES("");
	else
		return ERR_NOT_FOUND;
	return OK;
}

static void round_trip(void **state)
{
	struct conf_source from = { .get = two_files };
	struct bundle_writer w;
	struct bundle_reader r;
	struct bytes got;
	unsigned accepted = 0;

	(void)state;
	bundle_writer_init(&w, &from, BYTES("sluis.yaml"), BYTES("workers: 1\n"));
	assert_int_equal(w.source.get(&w.source, BYTES("a.pem"), NULL, &got), OK);
	assert_int_equal(w.source.get(&w.source, BYTES("empty"), NULL, &got), OK);
	assert_int_equal(w.source.get(&w.source, BYTES("none"), NULL, &got), ERR_NOT_FOUND);
	assert_int_equal(bundle_reader_init(&r, text_bytes(&w.out)), OK);
	assert_true(bytes_eq(r.file, BYTES("sluis.yaml")));
	assert_true(bytes_eq(r.text, BYTES("workers: 1\n")));
	assert_int_equal(r.source.get(&r.source, BYTES("a.pem"), NULL, &got), OK);
	assert_true(bytes_eq(got, BYTES("first")));
	assert_int_equal(r.source.get(&r.source, BYTES("empty"), NULL, &got), OK);
	assert_int_equal(got.len, 0);
	assert_int_equal(r.source.get(&r.source, BYTES("none"), NULL, &got), ERR_NOT_FOUND);
	for (size_t cut = 0; cut < w.out.len; cut++)
		accepted += bundle_reader_init(&r, bytes_of(w.out.at, cut)) == OK;
	assert_int_equal(accepted, 2); /* behind the main file, and behind the first of the others */
	text_byte(&w.out, 0);
	assert_int_not_equal(bundle_reader_init(&r, text_bytes(&w.out)), OK);
	bundle_writer_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(round_trip) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
