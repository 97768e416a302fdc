/* Pages that Sluis itself answers with, as HTML or JSON by what the client accepts. No product, no version. */
#ifndef HTTP_ERROR_PAGE_H
#define HTTP_ERROR_PAGE_H

#include "base/text.h"

/* accept: the Accept field's value, may be empty. type gets the media type. contact: whom to call, or empty. */
void error_page_write(struct text *t, unsigned status, struct bytes accept, struct bytes request_id,
	struct bytes contact, struct bytes *type);

#endif
