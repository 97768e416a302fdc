/* The codec of questions and answers. A question is: request u32, kind u8, provider u8 and octets, then as many arguments as the kind has, each as u16 and
 * octets. An answer: request u32, status u8, flags u8 (1: a person, 2: who proved two factors; from 4 on the count of values), why u8 and octets; of a person
 * subject, name, display, mail, sid, each as u16 and octets, groups u8, then each likewise; then the values. */
#include "auth/directory.h"

#include "base/reader.h"

enum { HAS_PERSON = 1, HAS_MFA = 2, VALUES_SHIFT = 2 };

static const struct {
	uint8_t args;
	bool has_person; /* of an answer that is DIRECTORY_OK */
	uint8_t values;
} kinds[DIRECTORY_KIND_COUNT] = {
	[DIRECTORY_PASSWORD] = { 2, true, 0 },
	[DIRECTORY_LOOKUP] = { 1, true, 0 },
	[DIRECTORY_WHERE] = { 0, false, 3 },
	[DIRECTORY_CODE] = { 4, true, 0 },
	[DIRECTORY_LOGOUT] = { 1, true, 2 },
};

static bool is_ask(const struct directory_ask *a)
{
	return a->kind < DIRECTORY_KIND_COUNT && a->arg_count == kinds[a->kind].args && a->provider.len > 0 && a->provider.len <= UINT8_MAX;
}

/* What was not found has nobody and no values. */
static bool is_answer(const struct directory_answer *a)
{
	return a->status < DIRECTORY_STATUS_COUNT && a->value_count <= COUNT_OF(a->values) && a->person.group_count <= DIRECTORY_GROUPS_MAX &&
	       (a->status == DIRECTORY_OK || (!a->has_person && a->value_count == 0)) && (a->has_person || !a->person.has_mfa);
}

static struct bytes take_short(struct reader *r)
{
	return reader_take(r, reader_u8(r));
}

void directory_ask_write(struct text *t, const struct directory_ask *a)
{
	CHECK(is_ask(a));
	text_put_u32(t, a->request);
	text_put_u8(t, (uint8_t)a->kind);
	text_put_u8(t, (uint8_t)a->provider.len);
	text_add(t, a->provider);
	for (size_t i = 0; i < a->arg_count; i++)
		text_put_bytes(t, a->args[i]);
}

enum err directory_ask_parse(struct bytes body, struct directory_ask *out)
{
	struct reader r = { .left = body };
	struct directory_ask a = { .request = reader_u32(&r) };

	a.kind = (enum directory_kind)reader_u8(&r);
	a.provider = take_short(&r);
	a.arg_count = a.kind < DIRECTORY_KIND_COUNT ? kinds[a.kind].args : 0;
	for (size_t i = 0; i < a.arg_count; i++)
		a.args[i] = reader_bytes(&r);
	if (!reader_done(&r) || !is_ask(&a))
		return ERR_SYNTAX;
	*out = a;
	return OK;
}

void directory_answer_write(struct text *t, const struct directory_answer *a)
{
	const struct directory_person *p = &a->person;
	struct bytes why = bytes_cut(a->why, 0, UINT8_MAX);

	CHECK(is_answer(a));
	text_put_u32(t, a->request);
	text_put_u8(t, (uint8_t)a->status);
	text_put_u8(t, (uint8_t)((a->has_person ? HAS_PERSON : 0) | (p->has_mfa ? HAS_MFA : 0) | a->value_count << VALUES_SHIFT));
	text_put_u8(t, (uint8_t)why.len);
	text_add(t, why);
	if (a->has_person) {
		text_put_bytes(t, p->subject);
		text_put_bytes(t, p->name);
		text_put_bytes(t, p->display);
		text_put_bytes(t, p->mail);
		text_put_bytes(t, p->sid);
		text_put_u8(t, (uint8_t)p->group_count);
		for (size_t i = 0; i < p->group_count; i++)
			text_put_bytes(t, p->groups[i]);
	}
	for (size_t i = 0; i < a->value_count; i++)
		text_put_bytes(t, a->values[i]);
}

static void take_person(struct reader *r, struct directory_person *p)
{
	size_t n;

	p->subject = reader_bytes(r);
	p->name = reader_bytes(r);
	p->display = reader_bytes(r);
	p->mail = reader_bytes(r);
	p->sid = reader_bytes(r);
	n = reader_u8(r);
	if (n > DIRECTORY_GROUPS_MAX)
		r->failed = true;
	for (size_t i = 0; i < n && !r->failed; i++)
		p->groups[p->group_count++] = reader_bytes(r);
}

enum err directory_answer_parse(struct bytes body, struct directory_answer *out)
{
	struct reader r = { .left = body };
	struct directory_answer a = { .request = reader_u32(&r) };
	uint8_t flags;

	a.status = (enum directory_status)reader_u8(&r);
	flags = reader_u8(&r);
	a.why = take_short(&r);
	a.has_person = flags & HAS_PERSON;
	a.person.has_mfa = flags & HAS_MFA;
	a.value_count = (size_t)flags >> VALUES_SHIFT;
	if (a.value_count > COUNT_OF(a.values))
		return ERR_SYNTAX;
	if (a.has_person)
		take_person(&r, &a.person);
	for (size_t i = 0; i < a.value_count; i++)
		a.values[i] = reader_bytes(&r);
	if (!reader_done(&r) || !is_answer(&a))
		return ERR_SYNTAX;
	*out = a;
	return OK;
}

bool directory_answer_fits(const struct directory_answer *a, enum directory_kind kind)
{
	return a->status != DIRECTORY_OK || (a->has_person == kinds[kind].has_person && a->value_count == kinds[kind].values);
}
