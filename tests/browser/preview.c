/* Writes every page of the portal into a folder, as a browser would get it: preview FOLDER. LANG-NAME.html, and beside them the static files by
 * their paths, csp.txt and csp-app.txt. Those in evil/ are full of what strangers would like to see on a page. */
#include "sample.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static void write_file(const char *folder, const char *name, struct bytes b)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "w");
	if (!f || fwrite(b.at, 1, b.len, f) != b.len || fclose(f) != 0) {
		fprintf(stderr, "preview: %s cannot be written: %s\n", path, strerror(errno));
		exit(1);
	}
}

static void make_folder(const char *folder, const char *name)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (mkdir(path, 0755) != 0 && errno != EEXIST) {
		fprintf(stderr, "preview: %s cannot be made: %s\n", path, strerror(errno));
		exit(1);
	}
}

static void one(void *folder, const char *name, enum page_lang lang, struct bytes html, bool is_on_app)
{
	char file[128];

	snprintf(file, sizeof file, "%s-%s%s.html", lang == PAGE_NL ? "nl" : "en", name, is_on_app ? ".app" : "");
	write_file(folder, file, html);
}

static void write_static(const char *folder, const struct sample *s)
{
	static const char *const names[] = { "portal.css", "icon.svg", "passkey.js" };
	static unsigned char mem[16384];
	struct text t;

	make_folder(folder, "-");
	make_folder(folder, "-/icon");
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *path = page_file_path(names[i]);
		if (path)
			write_file(folder, path, page_file_find(bytes_str(path))->body);
	}
	write_file(folder, "-/icon/ecd", page_file_find(bytes_str(page_file_path("icon.svg")))->body);
	text_init(&t, mem, sizeof mem);
	page_colour_css(&t, s->gateway.colour);
	write_file(folder, "-/colour.css", text_bytes(&t));
	t.len = 0;
	page_csp(&t, &s->gateway);
	write_file(folder, "csp.txt", text_bytes(&t));
	t.len = 0;
	page_csp_app(&t, &s->gateway, true);
	write_file(folder, "csp-app.txt", text_bytes(&t));
}

int main(int argc, char **argv)
{
	static struct sample s;
	char evil[4096];

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: preview FOLDER [COLOUR]\n");
		return 2;
	}
	sample_init(&s, false);
	if (argc == 3)
		s.gateway.colour = bytes_str(argv[2]);
	sample_each(&s, one, argv[1]);
	write_static(argv[1], &s);
	make_folder(argv[1], "evil");
	snprintf(evil, sizeof evil, "%s/evil", argv[1]);
	sample_init(&s, true);
	sample_each(&s, one, evil);
	return 0;
}
