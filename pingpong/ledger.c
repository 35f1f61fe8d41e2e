#include "ledger.h"

#include <string.h>

void ledger_init(struct ledger *ledger)
{
    memset(ledger, 0, sizeof *ledger);
    identity_new_uuid(ledger->writer);
}

int64_t ledger_new_key(struct ledger *ledger)
{
    ledger->key = identity_new_key();
    return ledger->key;
}

void ledger_registered(struct ledger *ledger, int slot, int64_t ticket, int64_t count)
{
    ledger->slot = slot;
    ledger->found = ticket;
    ledger->count = count;
}

int64_t ledger_next_ticket(struct ledger *ledger)
{
    return ++ledger->key;
}

void ledger_committed(struct ledger *ledger)
{
    ledger->recorded = ledger->key;
}

void ledger_lost(struct ledger *ledger)
{
    ledger->lost_ticket = ledger->key;
}

/* A ticket that is neither the lost batch's nor the one before was put there when the slot, or the
 * whole database, changed hands. */
static enum ledger_outcome judge(const struct ledger *ledger)
{
    if (ledger->found == ledger->lost_ticket)
        return LEDGER_COMMITTED;
    return ledger->found == ledger->recorded ? LEDGER_NOT_COMMITTED : LEDGER_UNKNOWN;
}

bool ledger_settle(struct ledger *ledger, enum ledger_outcome *outcome)
{
    bool lost = ledger->lost_ticket != 0;

    if (lost)
        *outcome = judge(ledger);
    ledger->lost_ticket = 0;
    /* From here on this is what the next loss is judged by. Not before: the attempt could still
     * have failed, and the question come up again. */
    ledger->recorded = ledger->found;
    return lost;
}
