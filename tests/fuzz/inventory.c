/* Any bytes as an inventory: appliances with names, or an error that names the file. */
#include "response/inventory.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[DATA_ERROR_MAX] = "";
	struct inventory *inv = NULL;

	if (inventory_read(bytes_of(data, size), "name", &inv, error) == OK)
		for (size_t i = 0; i < inv->appliance_count; i++)
			CHECK(inv->appliances[i].name[0] && (!inv->appliances[i].update_count || inv->appliances[i].has_build));
	else
		CHECK(inv == NULL && (error[0] == 0 || strncmp(error, "name:", 5) == 0));
	inventory_free(&inv);
	return 0;
}
