#!/usr/bin/env bash
# Makes the database's files, once: the application's role and the database that
# the role owns. Everything is made in a folder beside PGDATA, which takes its name only
# when it is complete; killed at any moment, the next run starts afresh.
#
# The superuser has no password and is let in only over the socket inside this
# container, where the operating system vouches for the caller:
#   kubectl exec postgres-0 -c postgres -- psql -U postgres
set -euo pipefail

if [[ -e $PGDATA/PG_VERSION ]]; then
    echo "the database is there already"
    exit 0
fi
if [[ ! -s $APP_PASSWORD_FILE ]]; then
    echo "no password in $APP_PASSWORD_FILE" >&2
    exit 1
fi

new=$PGDATA.new
rm -rf "$new"
initdb --pgdata="$new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
    --auth-local=peer --auth-host=scram-sha-256

sockets=$(mktemp -d)
pg_ctl --pgdata="$new" --wait --timeout=120 --silent \
    --options="-c listen_addresses='' -c unix_socket_directories='$sockets'" start
trap 'pg_ctl --pgdata="$new" --mode=immediate --silent stop || true' EXIT
# Read by psql itself, so that the password is in no command line.
psql --host="$sockets" --username=postgres --dbname=postgres --no-psqlrc --quiet \
    --set=ON_ERROR_STOP=1 --set=role="$APP_ROLE" --set=database="$APP_DATABASE" <<'SQL'
\set password `cat "$APP_PASSWORD_FILE"`
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"role";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
SQL
pg_ctl --pgdata="$new" --mode=fast --wait --silent stop
trap - EXIT

# One role, one database; nobody else from outside, the superuser least of all.
cat >"$new/pg_hba.conf" <<HBA
local all            postgres    peer
host  "$APP_DATABASE" "$APP_ROLE" all scram-sha-256
HBA
# initdb and the shutdown have written out the rest.
sync "$new/pg_hba.conf" "$new"
mv -T "$new" "$PGDATA"
sync "$(dirname "$PGDATA")"
echo "made database $APP_DATABASE, owned by role $APP_ROLE"
