/* Lines wait in one growing text; what was written is taken from its front. A line is there whole or not at all. */
#include "alert/appender.h"

#include "base/fd.h"

#include <errno.h>
#include <unistd.h>

void appender_init(struct appender *a)
{
	*a = (struct appender){ .fd = -1 };
	gethostname(a->host, sizeof(a->host) - 1);
	text_init_growing(&a->out, 64 * ALERT_LINE_MAX);
}

void appender_take(struct appender *a, int *fd)
{
	fd_close(&a->fd);
	a->fd = *fd;
	*fd = -1;
}

enum err appender_put(struct appender *a, const struct alert *of, uint64_t now_us)
{
	size_t before = a->out.len;

	alert_put_json(&a->out, of, a->host, now_us);
	if (!a->out.failed)
		return OK;
	a->out.len = before; /* no half line */
	a->out.failed = false;
	return ERR_LIMIT;
}

enum err appender_write(struct appender *a)
{
	while (a->out.len && a->fd >= 0) {
		ssize_t n = write(a->fd, a->out.at, a->out.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			bool is_news = !a->is_failing;
			a->is_failing = true;
			return is_news ? ERR_IO : OK;
		}
		memmove(a->out.at, a->out.at + n, a->out.len - (size_t)n);
		a->out.len -= (size_t)n;
		a->is_failing = false;
	}
	return OK;
}
