#include "backoff.h"

#include "identity.h"

int64_t backoff_next_ms(struct backoff *backoff)
{
    int64_t longest_ms = backoff->longest_ms == 0 ? BACKOFF_FIRST_MS : backoff->longest_ms * 2;
    if (longest_ms > BACKOFF_LONGEST_MS)
        longest_ms = BACKOFF_LONGEST_MS;
    backoff->longest_ms = longest_ms;
    return longest_ms / 2 + identity_random_below(longest_ms / 2 + 1);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->longest_ms = 0;
}
