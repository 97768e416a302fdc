/* The keeper's third key: it signs the tokens that tell servers who has signed in. */
#ifndef ROLES_KEEPER_TOKENS_H
#define ROLES_KEEPER_TOKENS_H

#include "roles/role.h"

enum err keeper_on_token_key(struct role_run *run, struct channel *from, struct ipc_msg *m);
enum err keeper_on_token_public(struct role_run *run, struct channel *from, struct ipc_msg *m);
enum err keeper_on_token_sign(struct role_run *run, struct channel *from, struct ipc_msg *m);

#endif
