/* What a provider of CSAF documents publishes about itself (sections 7.1.7 to 7.1.20 of the standard): provider-metadata.json, the lists
 * of a directory (changes.csv, index.txt) and ROLIE feeds, taken apart into lines, since that is all that whoever fetches should have to
 * read. Every name and address in the lines has been found harmless: https alone, no way out of the folder. */
#ifndef CSAF_PROVIDER_H
#define CSAF_PROVIDER_H

#include "csaf/csaf.h"

#define CSAF_ENTRIES_MAX 50000
#define CSAF_URL_MAX	 2000

/* Lines "N name", "R role", "D directory" (ends with /) and "F feed". Feeds and directories that are not for everybody (TLP other than
 * WHITE) are included: the server decides who gets them. ERR_SYNTAX with error; out is then meaningless. */
enum err csaf_provider_lines(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX]) MUST_USE;
/* Lines "PATH<tab>DATE"; date may be empty. What may not be asked for becomes a line "!NAME". */
enum err csaf_changes_lines(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX]) MUST_USE;
enum err csaf_index_lines(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX]) MUST_USE;
/* Lines "URL<tab>DATE<tab>HASH URL" (may be empty). */
enum err csaf_feed_lines(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX]) MUST_USE;
/* A relative path of plain names that ends with .json: no .., no empty part, nothing encoded. */
bool csaf_path_is_safe(struct bytes path);
/* https://HOST[:PORT]/..., printable, without user or password. */
bool csaf_url_is_safe(struct bytes url);

#endif
