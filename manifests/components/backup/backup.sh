#!/usr/bin/env bash
# Dumps the database into BACKUPS, reads the dump again, and keeps the newest KEEP of them.
# A dump's name has its time and the count that it holds at least; it takes this name only when it is whole.
set -euo pipefail

KEEP=${KEEP:-14}
PGPASSWORD=$(head -n 1 "$PASSWORD_FILE")
export PGPASSWORD PGCONNECT_TIMEOUT=10

new=$BACKUPS/.new.$$
trap 'rm -f "$new"' EXIT
rm -f "$BACKUPS"/.new.*
# Before the dump: whatever it holds is at least this.
count=$(psql --no-psqlrc -Atc 'SELECT max(count) FROM counters')
pg_dump --format=custom --no-owner --file="$new"
pg_restore --list "$new" | grep -q ' TABLE DATA [^ ]* counters '
sync "$new"
name=$(date -u +%Y%m%dT%H%M%SZ)-count-$count.dump
mv "$new" "$BACKUPS/$name"
sync "$BACKUPS"
echo "wrote $name, $(stat -c %s "$BACKUPS/$name") bytes"

find "$BACKUPS" -maxdepth 1 -name '*-count-*.dump' | sort -r | tail -n +$((KEEP + 1)) | while read -r old; do
    rm -- "$old"
    echo "removed $(basename "$old")"
done
