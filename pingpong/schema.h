/* schema.h - the SQL that the service lives on.
 *
 * counters, one row by constraint (id = 1):
 *   count   the counter. The original Node.js service made it INT, perhaps with two rows; it is
 *           taken over in place as BIGINT and counts on from the highest value.
 *   ledger  three elements for each writer slot s: 3s-2 the key that the writer's next batch has to
 *           present, 3s-1 the ticket of its last batch, 3s the count after that batch.
 * pingpong_writers: which writer (a process) has which slot, and when it was last seen.
 * pingpong_parked: ticket and count of writers that had to leave the ledger while they were away.
 *
 * The ledger is what makes a batch happen exactly once. A batch's ticket is the key plus one and
 * becomes the next key, so its one UPDATE applies only directly after the batch before it. On a new
 * connection the writer first changes its key to a random one, after which no earlier statement of
 * its own can apply any more, wherever it is still travelling, and reads the rest: if the last
 * ticket is the lost batch's, the batch was committed, with the recorded count; if it is the one
 * before, the batch was not committed and never will be. Registering again and again changes
 * nothing of that, so its own answer may be lost as well. The ledger is in the row that a ping
 * updates anyway: it costs neither a second row nor a second lock. The lowest free slot is taken,
 * and a writer whose slot is higher than there are writers moves down when it registers, so the row
 * is about as long as there are writers. Each has an advisory lock on its slot while it is
 * connected.
 */
#ifndef PINGPONG_SCHEMA_H
#define PINGPONG_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

/* How long a writer has to be silent before its record is forgotten, in the ledger or parked: far
 * longer than any ping waits, so nobody is waiting for the outcome. */
#define SCHEMA_WRITER_EXPIRY_S 600

/* Large enough for every text below. */
#define SCHEMA_SQL_SIZE 6144

/* Where there are more slots than these, those of writers that are not connected are parked beside
 * the ledger, which each batch writes anew: so it is as large as the number of writers that are
 * there, whatever a crash loop leaves behind. */
#define SCHEMA_SLOTS_KEPT 16

/* Prepared statements: batch takes its size, its ticket and the count below which the database's
 * history went back, and returns the count; read returns the count; confirm returns it too, and
 * where the server waits for standbys, it ends only when they confirm that they still follow; touch
 * keeps the writer's slot and returns it, and whether registering anew would make the ledger much
 * smaller; release gives the slot up. */
#define SCHEMA_BATCH "batch"
#define SCHEMA_READ "read"
#define SCHEMA_CONFIRM "confirm"
#define SCHEMA_TOUCH "touch"
#define SCHEMA_RELEASE "release"

/* Session settings, then one row of four: whether the counter and its writers are there; whether
 * the table of parked writers is; why the server takes no writes, or null; and the session that it
 * was asked in, which begins with the number of its process. */
void schema_check_sql(char out[SCHEMA_SQL_SIZE], int64_t statement_timeout_ms);

/* Makes or migrates the schema, safely when several do it together. */
extern const char schema_create_sql[];

/* Makes what versions before did not have, for which it takes no lock on the counter and no more
 * rights than to make a table. */
extern const char schema_create_parked_sql[];

/* Registers `writer` with the random key `key`, and raises the count to `highest` if it is lower.
 * Gives a row of two, the count that was found and the session, and one of three: the slot, and the
 * ticket and count of the writer's last batch (if the database knows of none: the key with a minus
 * sign, and the count now); no such rows if the counter's row is missing. From then on others see
 * that the session has the slot. */
void schema_register_sql(char out[SCHEMA_SQL_SIZE], const char *writer, int64_t key,
                         int64_t highest);

/* Prepares the statements for the writer and its slot, and nothing else that the session may have
 * been left with. Gives a row of one, the session. */
void schema_prepare_sql(char out[SCHEMA_SQL_SIZE], const char *writer, int slot);

#endif
