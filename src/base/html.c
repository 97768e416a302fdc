/* The colours have a contrast of 4.5 or more with their background, in light and in dark (WCAG 2.2, 1.4.3). */
#include "base/html.h"

#include "base/clock.h"

static const char common[] =
	":root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--line:#d0d7de;--soft:#57606a;--good:#1a7f37;--act:#0b6bcb;--warn:#b35900;--bad:#b3261e}"
	"@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--line:#3d444d;--soft:#9198a1;--good:#3fb950;--act:#6cb6ff;--warn:#f0a35e;--bad:#ff7b72}}"
	"body{font:16px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:72rem;margin:2rem auto;padding:0 1rem}"
	"table{border-collapse:collapse;width:100%;font-size:.875rem}"
	"th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}"
	"svg{width:100%;height:auto}svg text{fill:var(--fg);font:12px system-ui,sans-serif}"
	"@media print{body{margin:0;max-width:none;font-size:12px}}";

void html_begin(struct text *t, const char *lang, struct bytes title, const char *style)
{
	text_fmt(t, "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, "
		"initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>", lang);
	text_html(t, title);
	text_lit(t, "</title>\n<style>");
	text_str(t, common);
	text_str(t, style);
	text_lit(t, "</style>\n</head>\n<body>\n");
}

void html_time(struct text *t, uint64_t us)
{
	char when[25];

	clock_rfc3339(us, when);
	text_add(t, bytes_of(when, 10));
	text_byte(t, ' ');
	text_add(t, bytes_of(when + 11, 8));
}
