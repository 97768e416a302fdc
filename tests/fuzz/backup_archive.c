/* Any bytes as a backup: refused, or every file has a safe place; and the inner archive, which only the right passphrase
 * gives, is read with the same care: the input is taken as that too. */
#include "evidence/backup.h"
#include "evidence/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct tar_limits limits = { .bytes = 1 << 20, .members = 200 };
	const struct seal_cost cheap = { 1 << 10, 1, 1 };
	struct tar_reader *r = NULL;
	struct backup b;

	CHECK(tar_reader_open_bytes(bytes_of(data, size), &limits, &r) == OK);
	if (backup_read(&b, r, NULL) == BACKUP_OK)
		CHECK(b.plain == b.count);
	for (size_t i = 0; i < b.plain; i++)
		CHECK(backup_path_is_safe(b.files[i].path) && b.files[i].mode <= 0777);
	b.sealed.len = 0;
	if (seal(bytes_of(data, size), BYTES("passphrase"), cheap, &b.sealed) == OK && backup_unseal(&b, BYTES("passphrase")) == BACKUP_OK)
		for (size_t i = b.plain; i < b.count; i++)
			CHECK(backup_path_is_safe(b.files[i].path) && b.files[i].is_sealed);
	tar_reader_free(&r);
	backup_fini(&b);
	return 0;
}
