/* client/balance.h - gives each replica behind one address its share of what is asked.
 *
 * A Service balances connections, so a client that keeps a few of them for long asks a few replicas
 * only. Where the answers say who gave them, the replicas are told apart: new connections are made
 * until they bring no one new, then now and then, and each request goes to the replica that has
 * been asked least. Where they do not, chance has to do it: a busy client replaces its connections
 * often, and uses them in turn.
 *
 * Part of client. It has no clock: times are handed in, monotonic. One thread.
 */
#ifndef COMMON_CLIENT_BALANCE_H
#define COMMON_CLIENT_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_BALANCE_REPLICAS_MAX 64

/* Of an answer that does not say who gave it, and of a connection without an answer. */
#define CLIENT_BALANCE_UNKNOWN (-1)

/* Starts zeroed. */
struct client_balance {
    struct {
        uint64_t name; /* a hash of it; 0: not in use */
        int64_t seen_ms;
        double asked;
    } replicas[CLIENT_BALANCE_REPLICAS_MAX];
    double asked_least; /* by the last one that was chosen */
    int in_a_row;       /* new connections that brought no one new */
    int64_t request_ms;
    int64_t connection_ms; /* when one was last made for the sake of balance */
};

/* A request is to be sent. Whether it shall have a new connection, though there are others. */
bool client_balance_wants_connection(struct client_balance *balance, int64_t now_ms);

/* An answer came, perhaps the first one of a new connection, from the replica with this name (""
 * if it was not given). Returns the replica. */
int client_balance_note_answer(struct client_balance *balance, const char *name,
                               bool is_new_connection, int64_t now_ms);

/* How much the replica has been asked; the one with the least is to be chosen. */
double client_balance_asked(const struct client_balance *balance, int replica);

/* The replica is asked for so much. */
void client_balance_add(struct client_balance *balance, int replica, int64_t weight);

#endif
