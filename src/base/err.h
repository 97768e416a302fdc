/* The one error type and the two ways to fail: CHECK for a mistake of ours (ends the process, also in
 * release builds), enum err for what the world can do. Results come through the last parameters and are
 * written on success only. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE       __attribute__((warn_unused_result))
#define PRINTF(f, a)   __attribute__((format(printf, f, a)))
#define NORETURN       __attribute__((noreturn))
#define LIKELY(x)      __builtin_expect(!!(x), 1)
#define UNLIKELY(x)    __builtin_expect(!!(x), 0)
#define COUNT_OF(a)    (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

enum err {
	OK = 0,
	ERR_SYNTAX,	 /* bytes that are not what the format allows */
	ERR_LIMIT,	 /* larger than a limit allows */
	ERR_MEMORY,	 /* an arena or the system has no room */
	ERR_AGAIN,	 /* nothing wrong: more bytes or another event are needed */
	ERR_CLOSED,	 /* the other side is gone */
	ERR_IO,		 /* the system refused; errno was logged or is in the caller's hands */
	ERR_DENIED,	 /* not allowed to */
	ERR_NOT_FOUND,	 /* no such thing */
	ERR_TIMEOUT,	 /* too late */
	ERR_ORDER,	 /* a right message at the wrong moment */
	ERR_UNSUPPORTED, /* understood, and not done here */
	ERR_TLS,	 /* a TLS handshake or record failed */
};

/* A short English name ("syntax", "limit"): for log lines, never for people alone. */
const char *err_name(enum err e);

/* Hands an error on. The one macro that hides a return: only for functions with nothing to undo. */
#define TRY(call)                                   \
	do {                                        \
		enum err try_err_ = (call);         \
		if (UNLIKELY(try_err_ != OK))       \
			return try_err_;            \
	} while (0)

NORETURN void check_failed(const char *file, int line, const char *what);
#define CHECK(x)                                                 \
	do {                                                     \
		if (UNLIKELY(!(x)))                              \
			check_failed(__FILE__, __LINE__, #x);    \
	} while (0)

#endif
