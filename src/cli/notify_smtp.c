/* What is wrong is said before anything is made; libcurl is in alert/smtp. */
#include "cli/notify_smtp.h"

#include "base/fd.h"
#include "base/secret.h"

#include <errno.h>

int notify_smtp_check(const struct cli *cli, struct notify_smtp *s)
{
	size_t n;

	if (!smtp_is_url(s->to.url))
		return 1 + cli_fail_in(cli, W_NOTIFY_URL, s->to.url);
	if (!smtp_is_address(s->to.from))
		return 1 + cli_fail_in(cli, W_NOTIFY_FROM, s->to.from);
	if (s->to.user && !s->password_file)
		return 1 + cli_fail_in(cli, W_NOTIFY_PASSWORD);
	if (!s->password_file)
		return 0;
	text_init_growing(&s->password, 4096);
	if (file_read(s->password_file, &s->password) != OK)
		return 1 + cli_fail_in(cli, W_ASSESS_UNREAD, s->password_file, strerror(errno));
	n = bytes_find_byte(text_bytes(&s->password), '\n');
	if (n != SIZE_MAX)
		s->password.len = n;
	text_byte(&s->password, 0);
	s->to.password = (const char *)s->password.at;
	return 0;
}

int notify_smtp_send(const struct cli *cli, const struct notify_smtp *s, const char *to, struct bytes message)
{
	char why[CURL_ERROR_SIZE];

	return smtp_send(&s->to, to, message, why) == OK ? 0 : cli_fail_in(cli, W_NOTIFY_NOT_SENT, to, s->to.url, why);
}

void notify_smtp_fini(struct notify_smtp *s)
{
	if (s->password.at)
		secret_wipe(s->password.at, s->password.cap);
	text_fini(&s->password);
}
