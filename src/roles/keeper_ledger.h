/* The keeper's second key: it signs the ledger's batches, each number once on disk, in order. */
#ifndef ROLES_KEEPER_LEDGER_H
#define ROLES_KEEPER_LEDGER_H

#include "roles/role.h"

enum err keeper_on_ledger_key(struct role_run *run, struct channel *from, struct ipc_msg *m);
enum err keeper_on_ledger_head(struct role_run *run, struct channel *from, struct ipc_msg *m);
enum err keeper_on_ledger_sign(struct role_run *run, struct channel *from, struct ipc_msg *m);
enum err keeper_on_ledger_kept(struct role_run *run, struct channel *from, struct ipc_msg *m);
enum err keeper_on_day_sign(struct role_run *run, struct channel *from, struct ipc_msg *m);

#endif
