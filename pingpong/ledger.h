/* ledger.h - this process' side of the ledger: which ticket comes next, and what became of a batch
 * whose answer was lost. See schema.h for the other side. No I/O; one thread.
 */
#ifndef PINGPONG_LEDGER_H
#define PINGPONG_LEDGER_H

#include "identity.h"

#include <stdbool.h>
#include <stdint.h>

/* What became of a batch that was under way when a connection was lost. */
enum ledger_outcome {
    LEDGER_COMMITTED,     /* once; `count` is the count after it */
    LEDGER_NOT_COMMITTED, /* and it never will be: send it again */
    LEDGER_UNKNOWN,       /* the record is gone */
};

struct ledger {
    char writer[IDENTITY_UUID_SIZE];
    int slot;            /* of the last registration */
    int64_t count;       /* the count that it found recorded */
    int64_t key;         /* of the registration, then of the last batch: the next builds on it */
    int64_t recorded;    /* the last ticket that the database is known to have held */
    int64_t found;       /* the ticket that the last registration found */
    int64_t lost_ticket; /* 0: none */
};

/* A new writer, registered nowhere. */
void ledger_init(struct ledger *ledger);

/* A new key to register with. Nothing sent before can apply once the registration is committed. */
int64_t ledger_new_key(struct ledger *ledger);

/* The registration's row. May come again and again, until ledger_settle(). */
void ledger_registered(struct ledger *ledger, int slot, int64_t ticket, int64_t count);

/* The ticket of a batch that is sent now. */
int64_t ledger_next_ticket(struct ledger *ledger);

/* The batch under way was committed. */
void ledger_committed(struct ledger *ledger);

/* The connection was lost while a batch was under way. */
void ledger_lost(struct ledger *ledger);

/* The registration stands: batches may be sent. Returns whether a lost batch is thereby settled,
 * and how; ledger->count is the count after it if it was committed. */
bool ledger_settle(struct ledger *ledger, enum ledger_outcome *outcome);

#endif
