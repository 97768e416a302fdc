/* The parts of sluis monitor: options and start (monitor.c), what is watched (monitor_read.c), syslog from the network
 * (monitor_syslog.c), whom to alert (monitor_send.c). Two processes: the reader, which hears strangers and has no way out, and the sender,
 * which has the secrets and reads the journal alone. */
#ifndef CLI_MONITOR_PRIV_H
#define CLI_MONITOR_PRIV_H

#include "alert/deliver.h"
#include "cli/hunt_priv.h"
#include "cli/site.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "watch/follow.h"
#include "watch/live.h"
#include "watch/positions.h"
#include "watch/syslog.h"

#define MONITOR_LOGS_MAX    POSITIONS_MAX
#define MONITOR_LISTEN_MAX  16
#define MONITOR_PACKS_MAX   HUNT_PACKS_MAX

enum monitor_transport { MONITOR_UDP, MONITOR_TCP, MONITOR_TLS };
struct monitor_listen {
	enum monitor_transport transport;
	struct addr address;
	const char *url; /* as it was given */
	int fd;
};

struct monitor_options {
	const char *logs[MONITOR_LOGS_MAX], *syslog[MONITOR_LISTEN_MAX], *to[DELIVER_TOS_MAX];
	size_t log_count, syslog_count, to_count;
	struct hunt_wanted wanted;
	size_t pack_count;
	const char *state;
	bool from_start, once;
};

struct monitor {
	const struct cli *cli;
	struct monitor_options given;
	struct site site;
	char state_dir[4200], alerts_file[4200]; /* alerts_file: of the front door; "": none */
	char host[256];
	struct hunt_ready ready;
	struct deliver_to *tos;
	size_t to_count;
	struct monitor_listen listens[MONITOR_LISTEN_MAX];
	size_t listen_count;
	struct follow *logs; /* the front door's alerts are the first, where alerts_file is */
	size_t log_count;
	char texts[DELIVER_TOS_MAX][200]; /* names of destinations */
	uint64_t window_us, keep_us;
	unsigned per_hour;
	int folder; /* of the journal and the positions */
	struct journal *journal;
	struct syslog_server *server;
	int sender_fd; /* its end is the sender's sign to finish */
	pid_t sender;
};

/* monitor_to.c. ERR_SYNTAX: not udp://, tcp:// or tls:// with an address and a port. url stays the caller's and must outlive out. */
enum err monitor_listen_parse(const char *url, struct monitor_listen *out) MUST_USE;
/* Beside the configuration's file where the path is not from the root, as for all files that it names. */
void monitor_path(const char *config, struct bytes name, char *out, size_t size);
/* ERR_SYNTAX with error. name becomes one that names a file. */
enum err monitor_to_parse(struct bytes name, struct bytes url, struct deliver_to *out, char error[DELIVER_ERROR_MAX]) MUST_USE;
/* All but the secret: it is read by who sends. */
enum err monitor_to_fill(const char *config, const struct conf_alert_to *a, struct deliver_to *out, char error[DELIVER_ERROR_MAX]) MUST_USE;

/* monitor_send.c. Reads the secrets of m->tos, which the configuration and --to name. 0, or 2 and it was said. */
int monitor_read_destinations(struct monitor *m);
/* In a process of its own: delivers until fd ends, then what is there for a while. Does not return. */
NORETURN void monitor_send(struct monitor *m, int fd);

/* monitor_syslog.c. Before the jail: certificates and sockets. 0, or 2 and it was said. */
typedef void monitor_on_message(void *ctx, const struct addr *from, struct bytes message);
int syslog_server_open(struct monitor *m);
enum err syslog_server_run(struct monitor *m, struct loop *loop, monitor_on_message *on, void *ctx) MUST_USE;
void syslog_server_close(struct syslog_server **s);

/* monitor_read.c. Until it is told to end, or with --once when all was read. The exit status. */
int monitor_read(struct monitor *m);

#endif
