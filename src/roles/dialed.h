/* A library that insists on connecting by itself, in a process that may not: its next socket() is a connection that the dialer made. Only for
 * programs that are linked with dialed.c, whose socket() and connect() come before the C library's. One thread. */
#ifndef ROLES_DIALED_H
#define ROLES_DIALED_H

/* fd is handed over: the next socket() gives it, and connect() on it says that it is connected. One that nobody took is closed by the next call; -1: none. */
void dialed_give(int fd);

#endif
