#include "client/balance.h"

/* A client that asks more often than this is busy: new connections cost it next to nothing. */
#define BUSY_INTERVAL_MS 50

/* Between two new connections. 50 a second make it unlikely (1 in 200) that chance gives one of
 * five replicas a quarter more or less than its share within ten seconds. */
#define LOOKING_MS 20
#define SETTLED_MS 1000
#define QUIET_MS 5000

/* So many new connections for each known replica have to bring no one new before it is taken that
 * there is no other: with one of equal chance still unknown, that happens once in 500 times. */
#define IN_A_ROW_EACH 6
#define IN_A_ROW_MORE 4

/* Longer than connections are used without an answer. */
#define FORGOTTEN_MS 30000

/* A replica that could not be asked for a while does not get all of it afterwards. */
#define CATCH_UP 64.0

static bool is_known(const struct client_balance *balance, int i, int64_t now_ms)
{
    return balance->replicas[i].name != 0 && now_ms - balance->replicas[i].seen_ms < FORGOTTEN_MS;
}

static int known_count(const struct client_balance *balance, int64_t now_ms)
{
    int count = 0;
    for (int i = 0; i < CLIENT_BALANCE_REPLICAS_MAX; i++)
        count += is_known(balance, i, now_ms);
    return count;
}

bool client_balance_wants_connection(struct client_balance *balance, int64_t now_ms)
{
    int known = known_count(balance, now_ms);
    bool settled = known > 0 && balance->in_a_row >= IN_A_ROW_EACH * known + IN_A_ROW_MORE;
    bool busy = now_ms - balance->request_ms <= BUSY_INTERVAL_MS;
    int64_t interval_ms = !busy ? QUIET_MS : settled ? SETTLED_MS : LOOKING_MS;

    balance->request_ms = now_ms;
    if (now_ms - balance->connection_ms < interval_ms)
        return false;
    balance->connection_ms = now_ms;
    return true;
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *name)
{
    uint64_t value = 14695981039346656037u;
    for (; *name != '\0'; name++)
        value = (value ^ (unsigned char)*name) * 1099511628211u;
    return value == 0 ? 1 : value;
}

/* The replica's place, or one for it: free, or of the one that was not seen for longest. */
static int find(const struct client_balance *balance, uint64_t name)
{
    int oldest = 0;

    for (int i = 0; i < CLIENT_BALANCE_REPLICAS_MAX; i++) {
        if (balance->replicas[i].name == name)
            return i;
        if (balance->replicas[i].seen_ms < balance->replicas[oldest].seen_ms)
            oldest = i;
    }
    return oldest;
}

int client_balance_note_answer(struct client_balance *balance, const char *name,
                               bool is_new_connection, int64_t now_ms)
{
    if (*name == '\0')
        return CLIENT_BALANCE_UNKNOWN;
    uint64_t hashed = hash(name);
    int i = find(balance, hashed);
    if (is_new_connection)
        balance->in_a_row++;
    if (balance->replicas[i].name != hashed || !is_known(balance, i, now_ms)) {
        balance->replicas[i].name = hashed;
        balance->replicas[i].asked = balance->asked_least;
        balance->in_a_row = 0;
    }
    balance->replicas[i].seen_ms = now_ms;
    return i;
}

double client_balance_asked(const struct client_balance *balance, int replica)
{
    return replica < 0 ? balance->asked_least : balance->replicas[replica].asked;
}

void client_balance_add(struct client_balance *balance, int replica, int64_t weight)
{
    if (replica < 0)
        return;
    double *asked = &balance->replicas[replica].asked;
    if (*asked < balance->asked_least - CATCH_UP)
        *asked = balance->asked_least - CATCH_UP;
    if (*asked > balance->asked_least)
        balance->asked_least = *asked;
    *asked += (double)weight;
}
