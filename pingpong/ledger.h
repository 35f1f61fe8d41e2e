/* ledger.h - this process' side of the ledger: which ticket comes next, and what became of a batch
 * whose answer was lost. See schema.h for the other side. No I/O; one thread.
 */
#ifndef PINGPONG_LEDGER_H
#define PINGPONG_LEDGER_H

#include "identity.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether the database is the one that this process has counted in. */
enum ledger_history {
    LEDGER_KEPT,
    LEDGER_BEHIND,    /* the count is lower than one that was seen: numbers given are lost */
    LEDGER_CHANGED,   /* this writer's record is not as it was left */
    LEDGER_FORGOTTEN, /* this writer has no record any more: it was away for long, or numbers that
                         others know of are lost */
};

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
    int64_t highest;     /* count that was ever committed or read */
    bool registered;     /* once at least */
    int64_t found;       /* the ticket that the last registration found; below 0: of no batch */
    int64_t found_count; /* the count that it found in the counter */
    int64_t lost_ticket; /* 0: none */
};

/* A new writer, registered nowhere. */
void ledger_init(struct ledger *ledger);

/* A new key to register with. Nothing sent before can apply once the registration is committed. */
int64_t ledger_new_key(struct ledger *ledger);

/* The count that the registration finds. Call it before ledger_registered(), which takes the
 * registration's row. Both may come again and again, until ledger_settle(). */
void ledger_found(struct ledger *ledger, int64_t count);
void ledger_registered(struct ledger *ledger, int slot, int64_t ticket, int64_t count);

/* Compares what the last registration has found with what is known. After LEDGER_BEHIND and
 * LEDGER_CHANGED take it as it is by ledger_adopt(); after anything but LEDGER_KEPT register again,
 * when the others have had time to. */
enum ledger_history ledger_compare(const struct ledger *ledger);

/* Takes the database's history for the true one. Returns whether the outcome of a lost batch is
 * thereby gone (LEDGER_UNKNOWN); otherwise it is still to be settled. */
bool ledger_adopt(struct ledger *ledger);

/* A count that was committed or read. Returns false if it is lower than one that was seen before:
 * then the database's history went back. */
bool ledger_saw(struct ledger *ledger, int64_t count);

/* The ticket of a batch that is sent now. */
int64_t ledger_next_ticket(struct ledger *ledger);

/* The batch under way was committed; `count` is the count after it. */
void ledger_committed(struct ledger *ledger, int64_t count);

/* The connection was lost while a batch was under way. */
void ledger_lost(struct ledger *ledger);

/* The registration stands: batches may be sent. Returns whether a lost batch is thereby settled,
 * and how; ledger->count is the count after it if it was committed. */
bool ledger_settle(struct ledger *ledger, enum ledger_outcome *outcome);

#endif
