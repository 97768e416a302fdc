/* Pages that Sluis itself answers with, as HTML or JSON by what the client accepts. No product, no version. */
#ifndef HTTP_ERROR_PAGE_H
#define HTTP_ERROR_PAGE_H

#include "base/text.h"
#include "http/message.h"

/* Content-Security-Policy's source for the pages' one style; the unit test holds it against the style itself. */
#define ERROR_PAGE_STYLE "'sha256-rpMRuUj3be+M+yzelEtUPrGf5gyFhuEbiR7pTBluAkw='"

/* fields: the request's; Accept chooses. type gets the media type. contact: whom to call, or empty. */
void error_page_write(struct text *t, unsigned status, const struct http_field *fields, size_t field_count,
	struct bytes request_id, struct bytes contact, struct bytes *type);
/* The same for what administrators have isolated, in Dutch or English by Accept-Language: status 403 is about who asks, 503
 * about the application. Above all it says whom to call. */
void error_page_write_isolated(struct text *t, unsigned status, const struct http_field *fields, size_t field_count,
	struct bytes request_id, struct bytes contact, struct bytes *type);

#endif
