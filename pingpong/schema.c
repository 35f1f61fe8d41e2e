#include "schema.h"

#include <inttypes.h>
#include <stdio.h>

void schema_check_sql(char out[SCHEMA_SQL_SIZE], int64_t statement_timeout_ms)
{
    /* A server that waits for standbys as well is left to do so. */
    snprintf(out, SCHEMA_SQL_SIZE,
             "SET statement_timeout = %" PRId64 ";"
             "SELECT set_config('synchronous_commit', 'on', false)"
             " WHERE current_setting('synchronous_commit') IN ('off', 'local');"
             "SELECT (SELECT count(*) FROM pg_attribute"
             " WHERE attrelid = to_regclass('counters') AND NOT attisdropped"
             " AND (attname, atttypid) IN (('count', 'bigint'::regtype),"
             " ('ledger', 'bigint[]'::regtype))) = 2"
             " AND EXISTS (SELECT FROM pg_constraint"
             " WHERE conrelid = to_regclass('counters') AND conname = 'counters_single_row')"
             " AND to_regclass('pingpong_writers') IS NOT NULL",
             statement_timeout_ms);
}

/* The advisory lock's number is only ours by being arbitrary. */
const char schema_create_sql[] =
    "BEGIN;"
    "SELECT pg_advisory_xact_lock(7453010375118);"
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
    " seen TIMESTAMPTZ NOT NULL DEFAULT now());"
    "COMMIT";

void schema_register_sql(char out[SCHEMA_SQL_SIZE], const char *writer, int64_t key)
{
    /* The counter's row is the lock under which slots are given out. Taking it also waits for the
     * end of a batch that an earlier connection's server process is still executing. */
    snprintf(out, SCHEMA_SQL_SIZE,
             "BEGIN;"
             "SELECT FROM counters WHERE id = 1 FOR UPDATE;"
             "INSERT INTO pingpong_writers (slot, writer, seen)"
             " SELECT coalesce("
             "(SELECT min(slot) FROM pingpong_writers"
             " WHERE seen < now() - interval '%d seconds'),"
             " (SELECT coalesce(max(slot), 0) + 1 FROM pingpong_writers)), '%s', '-infinity'"
             " WHERE NOT EXISTS (SELECT FROM pingpong_writers WHERE writer = '%s')"
             " ON CONFLICT (slot) DO UPDATE SET writer = excluded.writer, seen = excluded.seen;"
             "UPDATE counters SET ledger[3 * slot - 2 : 3 * slot] = CASE"
             " WHEN seen = '-infinity' THEN ARRAY[%" PRId64 ", %" PRId64 ", count]"
             " ELSE ARRAY[%" PRId64 ", ledger[3 * slot - 1], ledger[3 * slot]] END"
             " FROM pingpong_writers WHERE id = 1 AND writer = '%s'"
             " RETURNING slot, ledger[3 * slot - 1], ledger[3 * slot];"
             "UPDATE pingpong_writers SET seen = now() WHERE writer = '%s';"
             "COMMIT",
             SCHEMA_WRITER_EXPIRY_S, writer, writer, key, key, key, writer, writer);
}

void schema_prepare_sql(char out[SCHEMA_SQL_SIZE], const char *writer, int slot)
{
    snprintf(out, SCHEMA_SQL_SIZE,
             "PREPARE " SCHEMA_BATCH " (bigint, bigint) AS UPDATE counters"
             " SET count = count + $1, ledger[%d:%d] = ARRAY[$2, $2, count + $1]"
             " WHERE id = 1 AND ledger[%d] = $2 - 1 RETURNING count;"
             "PREPARE " SCHEMA_READ " AS SELECT count FROM counters WHERE id = 1;"
             "PREPARE " SCHEMA_TOUCH " AS UPDATE pingpong_writers SET seen = now()"
             " WHERE writer = '%s' RETURNING slot;"
             "PREPARE " SCHEMA_RELEASE " AS UPDATE pingpong_writers SET seen = '-infinity'"
             " WHERE writer = '%s'",
             3 * slot - 2, 3 * slot, 3 * slot - 2, writer, writer);
}
