#!/usr/bin/env bash
# Makes the database's files, once: the application's role and the database that
# the role owns. Everything is made in a folder beside PGDATA, which takes its name only
# when it is complete; killed at any moment, the next run starts afresh.
#
# The superuser has no password and is let in only over the socket inside this
# container, where the operating system vouches for the caller:
#   kubectl exec postgres-0 -c postgres -- psql -U postgres
set -euo pipefail

# Under a user that the image does not know (OpenShift), for which nss_wrapper is loaded and reads this.
if [[ -n ${NSS_WRAPPER_PASSWD-} ]]; then
    echo "postgres:x:$(id -u):$(id -g):PostgreSQL:/tmp:/bin/bash" >"$NSS_WRAPPER_PASSWD"
fi

# Files of another major version: a restart would not help, so it says what would, and waits.
if [[ -e $PGDATA/PG_VERSION ]]; then
    have=$(<"$PGDATA/PG_VERSION")
    server=$(postgres --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    if [[ $have != "$server" ]]; then
        tee "${TERMINATION_LOG:-/dev/termination-log}" >&2 <<SAY || true
The files in $PGDATA are of PostgreSQL $have; this image has PostgreSQL $server, which cannot read them.
Nothing was changed. Set the image back to PostgreSQL $have, delete this pod, and carry the data over as
manifests/README.md says under "From one PostgreSQL to the next".
SAY
        trap 'exit 1' TERM INT
        sleep infinity &
        wait
        exit 1
    fi
fi

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
# Where a node sets huge pages aside, a container that may use none of them dies when it touches them.
plain_pages=()
if initdb --help | grep -q -- '--set NAME=VALUE'; then
    plain_pages=(--set huge_pages=off)
fi
initdb --pgdata="$new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
    --auth-local=peer --auth-host=scram-sha-256 "${plain_pages[@]}"

sockets=$(mktemp -d)
pg_ctl --pgdata="$new" --wait --timeout=120 --silent \
    --options="-c huge_pages=off -c listen_addresses='' -c unix_socket_directories='$sockets'" start
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
