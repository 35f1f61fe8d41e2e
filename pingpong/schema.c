#include "schema.h"

#include <inttypes.h>
#include <stdio.h>

/* A session that has a slot holds an advisory lock of this class and the slot's number, which is
 * only ours by being arbitrary. */
#define SLOT_LOCK_CLASS "745301037"

/* Whether some session has the slot of pingpong_writers w. */
#define IS_CONNECTED                                                                          \
    "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = " SLOT_LOCK_CLASS \
    " AND objid = w.slot AND objsubid = 2"                                                    \
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"

/* What the promise stands on, set for the session whatever the server's, the database's or the
 * role's defaults are or become: commits wait for the disk (a stricter choice is left), statements
 * see what others have committed, no time-out but ours ends one, warnings are sent, policies for
 * rows are applied, and the tables are those that were made, wherever a schema of the search path
 * has others of their name. What is left out on purpose: default_transaction_read_only, with which
 * an operator stops the writing, and session_replication_role, as there are no triggers or foreign
 * keys to lose. */
#define SESSION_SETTINGS                                                                          \
    "SELECT set_config(name, value, false) FROM (VALUES"                                          \
    " ('synchronous_commit', CASE current_setting('synchronous_commit')"                          \
    " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END),"                                    \
    " ('default_transaction_isolation', 'read committed'),"                                       \
    " ('default_transaction_deferrable', 'off'),"                                                 \
    " ('client_min_messages', 'warning'),"                                                        \
    " ('lock_timeout', '0'), ('transaction_timeout', '0'),"                                       \
    " ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),"               \
    " ('row_security', 'on'),"                                                                    \
    " ('search_path', (SELECT coalesce("                                                          \
    "(SELECT CASE WHEN count(*) = 1 THEN min(quote_ident(nspname)) END"                           \
    " FROM pg_constraint JOIN pg_class r ON r.oid = conrelid"                                     \
    " JOIN pg_namespace n ON n.oid = r.relnamespace"                                              \
    " WHERE conname = 'counters_single_row' AND relname = 'counters'),"                           \
    " (SELECT quote_ident(nspname) FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace" \
    " WHERE r.oid = to_regclass('counters')),"                                                    \
    " quote_ident(current_schema()), 'public') || ', pg_temp'))"                                  \
    ") AS wanted (name, value) JOIN pg_settings USING (name);"

/* Processes of two servers may have the same number. */
#define SESSION "pg_backend_pid() || ' ' || extract(epoch FROM pg_postmaster_start_time())"

void schema_check_sql(char out[SCHEMA_SQL_SIZE], int64_t statement_timeout_ms)
{
    snprintf(out, SCHEMA_SQL_SIZE,
             "SET statement_timeout = %" PRId64 ";" SESSION_SETTINGS
             "SELECT (SELECT count(*) FROM pg_attribute"
             " WHERE attrelid = to_regclass('counters') AND NOT attisdropped"
             " AND (attname, atttypid) IN (('count', 'bigint'::regtype),"
             " ('ledger', 'bigint[]'::regtype))) = 2"
             " AND EXISTS (SELECT FROM pg_constraint"
             " WHERE conrelid = to_regclass('counters') AND conname = 'counters_single_row')"
             " AND to_regclass('pingpong_writers') IS NOT NULL,"
             " to_regclass('pingpong_parked') IS NOT NULL,"
             " CASE WHEN pg_is_in_recovery() THEN 'a standby, which takes no writes'"
             " WHEN current_setting('default_transaction_read_only') = 'on'"
             " THEN 'takes no writes: default_transaction_read_only is on' END, " SESSION,
             statement_timeout_ms);
}

/* The advisory lock's number is only ours by being arbitrary. */
#define BEGIN_CREATION "BEGIN; SELECT pg_advisory_xact_lock(7453010375118);"

#define CREATE_PARKED                                                      \
    "CREATE TABLE IF NOT EXISTS pingpong_parked (writer UUID PRIMARY KEY," \
    " ticket BIGINT NOT NULL, counted BIGINT NOT NULL, seen TIMESTAMPTZ NOT NULL); COMMIT"

const char schema_create_parked_sql[] = BEGIN_CREATION CREATE_PARKED;

const char schema_create_sql[] = BEGIN_CREATION
    "CREATE TABLE IF NOT EXISTS counters"
    " (id SERIAL PRIMARY KEY, count BIGINT NOT NULL);"
    "LOCK TABLE counters IN ACCESS EXCLUSIVE MODE;"
    "ALTER TABLE counters ALTER COLUMN count TYPE BIGINT,"
    " ADD COLUMN IF NOT EXISTS ledger BIGINT[] NOT NULL DEFAULT '{}';"
    "INSERT INTO counters (id, count) SELECT 1, coalesce(max(count), 0) FROM counters"
    " ON CONFLICT (id) DO UPDATE SET count = greatest(counters.count, excluded.count);"
    "DELETE FROM counters WHERE id <> 1;"
    "ALTER TABLE counters DROP CONSTRAINT IF EXISTS counters_single_row,"
    " ADD CONSTRAINT counters_single_row CHECK (id = 1);"
    "CREATE TABLE IF NOT EXISTS pingpong_writers"
    " (slot INT PRIMARY KEY, writer UUID NOT NULL UNIQUE,"
    " seen TIMESTAMPTZ NOT NULL DEFAULT now());" CREATE_PARKED;

/* The lowest slot that no writer has. */
#define FREE_SLOT                                                                           \
    "(SELECT min(s) FROM generate_series(1, (SELECT count(*) + 1 FROM pingpong_writers)) s" \
    " WHERE NOT EXISTS (SELECT FROM pingpong_writers o WHERE o.slot = s))"

/* The counter's row is the lock under which slots are given out. Taking it also waits for the end
 * of a batch that an earlier connection's server process is still executing. */
#define BEGIN_REGISTRATION "BEGIN; SELECT count, " SESSION " FROM counters WHERE id = 1 FOR UPDATE;"

/* A count that went back may have left the records of what each writer counted: to be read before
 * any is forgotten.
 * Parameter: highest. */
#define RAISE_TO_RECORDS                                                     \
    "UPDATE counters SET count = greatest(count, (SELECT max(ledger[3 * s])" \
    " FROM generate_series(1, array_upper(ledger, 1) / 3) s),"               \
    " (SELECT max(counted) FROM pingpong_parked))"                           \
    " WHERE id = 1 AND count < %" PRId64 ";"

/* Parameters: writer, expiry in seconds; twice. */
#define FORGET_OTHERS                                                                             \
    "DELETE FROM pingpong_writers WHERE writer <> '%s' AND seen < now() - interval '%d seconds';" \
    "DELETE FROM pingpong_parked WHERE writer <> '%s' AND seen < now() - interval '%d seconds';"

/* Where the ledger is long, the slots of writers that are not connected go to a table that no batch
 * has to rewrite. They stay there for as long as they would have here: after a crash of the
 * database nobody is connected, and each comes back to ask what became of its batch. Nothing fits
 * their old places any more. Parameters: writer, slots kept. */
#define PARK_OTHERS                                                                       \
    "WITH gone AS (DELETE FROM pingpong_writers w WHERE writer <> '%s'"                   \
    " AND (SELECT max(slot) FROM pingpong_writers) > %d AND NOT " IS_CONNECTED            \
    " RETURNING slot, writer, seen),"                                                     \
    " parked AS (INSERT INTO pingpong_parked"                                             \
    " SELECT writer, ledger[3 * slot - 1], ledger[3 * slot], seen FROM gone, counters"    \
    " WHERE id = 1 AND ledger[3 * slot - 1] IS NOT NULL AND ledger[3 * slot] IS NOT NULL" \
    " ON CONFLICT (writer) DO UPDATE SET ticket = excluded.ticket,"                       \
    " counted = excluded.counted, seen = excluded.seen)"                                  \
    " UPDATE counters SET ledger = ARRAY(SELECT"                                          \
    " CASE WHEN (i + 2) / 3 IN (SELECT slot FROM gone) THEN 0 ELSE ledger[i] END"         \
    " FROM generate_series(1, array_upper(ledger, 1)) i ORDER BY i)"                      \
    " WHERE id = 1 AND EXISTS (SELECT FROM gone);"

/* Parameters: writer, twice. */
#define TAKE_SLOT                                                                               \
    "INSERT INTO pingpong_writers (slot, writer, seen) SELECT " FREE_SLOT ", '%s', '-infinity'" \
    " WHERE NOT EXISTS (SELECT FROM pingpong_writers WHERE writer = '%s');"

/* Where there is a lower slot, its record goes there, and nothing fits the old place any more.
 * Parameters: writer, twice. */
#define MOVE_DOWN                                                                                \
    "UPDATE counters SET ledger[3 * f - 2 : 3 * f] = ledger[3 * slot - 2 : 3 * slot],"           \
    " ledger[3 * slot - 2 : 3 * slot] = '{0,0,0}'"                                               \
    " FROM (SELECT slot, " FREE_SLOT "::int AS f FROM pingpong_writers WHERE writer = '%s'"      \
    " AND seen <> '-infinity') moved"                                                            \
    " WHERE id = 1 AND f < slot AND array_upper(ledger, 1) >= 3 * slot;"                         \
    "UPDATE pingpong_writers SET slot = " FREE_SLOT " WHERE writer = '%s' AND slot > " FREE_SLOT \
    ";"

#define TRIM_LEDGER                                                \
    "UPDATE counters SET ledger = ledger[1 : 3 * slots]"           \
    " FROM (SELECT max(slot) AS slots FROM pingpong_writers) used" \
    " WHERE id = 1 AND array_lower(ledger, 1) = 1 AND array_upper(ledger, 1) > 3 * slots;"

/* Into a new slot comes what was parked of this writer, if anything was; a place that has lost its
 * record is like a new one. Parameters: highest, key, key, highest, key, key, highest, writer. */
#define RECORD_KEY                                                           \
    "UPDATE counters SET count = greatest(count, %" PRId64 "),"              \
    " ledger[3 * slot - 2 : 3 * slot] = CASE WHEN w.seen = '-infinity'"      \
    " THEN ARRAY[%" PRId64 ", coalesce(ticket, -%" PRId64 "),"               \
    " coalesce(counted, greatest(count, %" PRId64 "))]"                      \
    " ELSE ARRAY[%" PRId64 ", coalesce(ledger[3 * slot - 1], -%" PRId64 ")," \
    " coalesce(ledger[3 * slot], greatest(count, %" PRId64 "))] END"         \
    " FROM pingpong_writers w LEFT JOIN pingpong_parked USING (writer)"      \
    " WHERE id = 1 AND writer = '%s'"                                        \
    " RETURNING slot, ledger[3 * slot - 1], ledger[3 * slot];"

/* The slot is locked before others can find it unlocked. Parameters: writer, three times. */
#define END_REGISTRATION                                                                  \
    "DELETE FROM pingpong_parked WHERE writer = '%s';"                                    \
    "SELECT pg_advisory_unlock_all();"                                                    \
    "SELECT pg_try_advisory_lock_shared(" SLOT_LOCK_CLASS ", slot) FROM pingpong_writers" \
    " WHERE writer = '%s';"                                                               \
    "UPDATE pingpong_writers SET seen = now() WHERE writer = '%s'; COMMIT"

void schema_register_sql(char out[SCHEMA_SQL_SIZE], const char *writer, int64_t key,
                         int64_t highest)
{
    snprintf(out, SCHEMA_SQL_SIZE,
             BEGIN_REGISTRATION RAISE_TO_RECORDS FORGET_OTHERS PARK_OTHERS TAKE_SLOT MOVE_DOWN
                 TRIM_LEDGER RECORD_KEY END_REGISTRATION,
             highest, writer, SCHEMA_WRITER_EXPIRY_S, writer, SCHEMA_WRITER_EXPIRY_S, writer,
             SCHEMA_SLOTS_KEPT, writer, writer, writer, writer, highest, key, key, highest, key,
             key, highest, writer, writer, writer, writer);
}

/* Behind a pooler, another client may have changed the session since it was set up. */
#define DURABLE "current_setting('synchronous_commit') IN ('on', 'remote_apply')"

/* A primary that was cut off from its standbys goes on reading what may be history by now. What it
 * cannot do is to commit a record of the log; this one is of no table and leaves nothing to vacuum.
 */
#define CONFIRMED                                                           \
    "CASE WHEN current_setting('synchronous_standby_names') = '' THEN true" \
    " ELSE pg_logical_emit_message(true, 'pingpong', '') IS NOT NULL END"

void schema_prepare_sql(char out[SCHEMA_SQL_SIZE], const char *writer, int slot)
{
    snprintf(
        out, SCHEMA_SQL_SIZE,
        "DEALLOCATE ALL;"
        "PREPARE " SCHEMA_BATCH " (bigint, bigint, bigint) AS UPDATE counters"
        " SET count = count + $1, ledger[%d:%d] = ARRAY[$2, $2, count + $1]"
        " WHERE id = 1 AND ledger[%d] = $2 - 1 AND count >= $3 AND " DURABLE " RETURNING count;"
        "PREPARE " SCHEMA_READ " AS SELECT count FROM counters WHERE id = 1;"
        "PREPARE " SCHEMA_CONFIRM " AS SELECT count FROM counters WHERE id = 1 AND " CONFIRMED ";"
        "PREPARE " SCHEMA_TOUCH " AS UPDATE pingpong_writers SET seen = now()"
        " WHERE writer = '%s' RETURNING slot,"
        " (SELECT array_upper(ledger, 1) / 3 > greatest(%d, 2 * (SELECT count(*)"
        " FROM pingpong_writers w WHERE " IS_CONNECTED ")) FROM counters WHERE id = 1);"
        "PREPARE " SCHEMA_RELEASE " AS UPDATE pingpong_writers SET seen = '-infinity'"
        " WHERE writer = '%s';"
        "SELECT " SESSION,
        3 * slot - 2, 3 * slot, 3 * slot - 2, writer, SCHEMA_SLOTS_KEPT, writer);
}
