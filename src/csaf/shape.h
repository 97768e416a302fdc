/* What a JSON value must look like, as tables: members and which are needed, lengths, words, forms of texts. Only of this room's use. */
#ifndef CSAF_SHAPE_H
#define CSAF_SHAPE_H

#include "csaf/csaf_priv.h"

enum shape_type { SHAPE_OBJECT, SHAPE_LIST, SHAPE_TEXT, SHAPE_NUMBER };

struct shape {
	enum shape_type type;
	const struct shape_member *members; /* of an object; ends with a NULL name */
	size_t least, most;		    /* members or items; most 0: any number */
	bool is_unique;			    /* no item twice */
	const struct shape *item;	    /* of a list */
	const char *words;		    /* of a text: one of these, with bars */
	bool (*form)(const char *s);	    /* of a text: and what the form is called */
	const char *form_name;
};
struct shape_member {
	const char *name;
	const struct shape *shape;
	bool is_needed;
};

void shape_check(struct check *c, const struct shape *shape, const json_t *v, const struct at *at);

#endif
