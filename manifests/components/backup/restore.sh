#!/usr/bin/env bash
# Puts the newest dump of BACKUPS, or the one that BACKUP names, back into the database. It refuses while
# others are connected, and where the database has counted further than the dump: numbers would be
# given twice. FORGET_COUNT=yes says that this is meant.
set -euo pipefail

PGPASSWORD=$(head -n 1 "$PASSWORD_FILE")
export PGPASSWORD PGCONNECT_TIMEOUT=10
stop() {
    echo "restore: $*" >&2
    exit 1
}
ask() { psql --no-psqlrc -v ON_ERROR_STOP=1 -Atc "$1"; }

dump=${BACKUP:-$(find "$BACKUPS" -maxdepth 1 -name '*-count-*.dump' -printf '%f\n' | sort | tail -n 1)}
[[ -n $dump && -f $BACKUPS/$dump ]] || stop "no dump '$dump' in $BACKUPS"
wanted=${dump##*-count-}
wanted=${wanted%.dump}
[[ $wanted =~ ^[0-9]+$ ]] || stop "the name of $dump does not say its count"

others=$(ask "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
[[ $others == 0 ]] || stop "$others others are connected: stop pingpong first (replicas: 0)"
now=0
if [[ $(ask "SELECT to_regclass('counters') IS NOT NULL") == t ]]; then
    now=$(ask 'SELECT coalesce(max(count), 0) FROM counters')
fi
if [[ $now -gt $wanted && ${FORGET_COUNT:-} != yes ]]; then
    stop "the database has counted to $now, $dump only to $wanted: numbers would be given twice"
fi

pg_restore --clean --if-exists --no-owner --single-transaction --exit-on-error --dbname="$PGDATABASE" "$BACKUPS/$dump"
got=$(ask 'SELECT max(count) FROM counters')
[[ $got -ge $wanted ]] || stop "restored $dump, and the count is $got, not $wanted or more"
echo "restored $dump: the count is $got"
