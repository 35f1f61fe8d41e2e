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

void ledger_found(struct ledger *ledger, int64_t count)
{
    ledger->found_count = count;
}

void ledger_registered(struct ledger *ledger, int slot, int64_t ticket, int64_t count)
{
    ledger->slot = slot;
    ledger->found = ticket;
    ledger->count = count;
}

enum ledger_history ledger_compare(const struct ledger *ledger)
{
    if (ledger->found_count < ledger->highest)
        return LEDGER_BEHIND;
    if (!ledger->registered || ledger->found == ledger->recorded ||
        (ledger->lost_ticket != 0 && ledger->found == ledger->lost_ticket))
        return LEDGER_KEPT;
    /* A new slot proves nothing: others may take the slot of a writer that is away. */
    return ledger->found < 0 ? LEDGER_FORGOTTEN : LEDGER_CHANGED;
}

bool ledger_saw(struct ledger *ledger, int64_t count)
{
    if (count < ledger->highest)
        return false;
    ledger->highest = count;
    return true;
}

int64_t ledger_next_ticket(struct ledger *ledger)
{
    return ++ledger->key;
}

void ledger_committed(struct ledger *ledger, int64_t count)
{
    ledger->recorded = ledger->key;
    (void)ledger_saw(ledger, count);
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

bool ledger_adopt(struct ledger *ledger)
{
    if (ledger->lost_ticket != 0 && judge(ledger) != LEDGER_UNKNOWN)
        return false;
    bool lost = ledger->lost_ticket != 0;
    ledger->lost_ticket = 0;
    ledger->recorded = ledger->found;
    return lost;
}

bool ledger_settle(struct ledger *ledger, enum ledger_outcome *outcome)
{
    bool lost = ledger->lost_ticket != 0;

    if (lost)
        *outcome = judge(ledger);
    ledger->lost_ticket = 0;
    ledger->registered = true;
    (void)ledger_saw(ledger, ledger->found_count);
    /* If the count went back meanwhile, the batch's own numbers are above it. */
    if (lost && *outcome == LEDGER_COMMITTED)
        (void)ledger_saw(ledger, ledger->count);
    /* From here on this is what the next loss is judged by. Not before: the attempt could still
     * have failed, and the question come up again. */
    ledger->recorded = ledger->found;
    return lost;
}
