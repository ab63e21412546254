#!/bin/bash
# Who may do what in the database. It may be run as often as one likes, on an empty database and on one in use: it makes what is
# missing, takes over changed passwords, and gives what an earlier version's `historian` owned to the owner.
#
#   dotbus_owner   owns schema and tables; nobody logs in as it
#   dotbus_writer  reads, adds rows, and changes only what is known beside the events; it can drop, alter and delete nothing
#   dotbus_reader  reads; GRANT dotbus_reader TO anna gives a person the same
#   historian      logs in, acts as dotbus_writer, and becomes dotbus_owner to make tables, months and room
#   historian_api  logs in and is a dotbus_reader: the API
#   reader         logs in and is a dotbus_reader
#
# PostgreSQL's image runs it on an empty data folder, and `docker compose up` at each start. Elsewhere a superuser runs it, with
# psql's own variables (PGHOST, PGUSER, PGPASSWORD, PGDATABASE) and the folder that holds the three passwords:
#   DOTBUS_SECRETS=credentials/postgres PGHOST=db.example.com PGDATABASE=dotbus bash 10-roles.sh
export DOTBUS_SECRETS="${DOTBUS_SECRETS:-/run/dotbus}"
export PGUSER="${PGUSER:-${POSTGRES_USER:-postgres}}" PGDATABASE="${PGDATABASE:-${POSTGRES_DB:-dotbus}}"
[ -z "$PGHOST" ] || export PGPASSWORD="${PGPASSWORD:-$(cat "$DOTBUS_SECRETS/superuser.password")}"
psql --set ON_ERROR_STOP=1 --quiet --no-psqlrc <<'SQL' || exit 1
\set historian_password `cat "$DOTBUS_SECRETS/historian.password"`
\set api_password `cat "$DOTBUS_SECRETS/historian_api.password"`
\set reader_password `cat "$DOTBUS_SECRETS/reader.password"`
SELECT current_database() AS database \gset
SELECT format('CREATE ROLE %I', wanted)
FROM unnest(ARRAY['dotbus_owner', 'dotbus_writer', 'dotbus_reader', 'historian', 'historian_api', 'reader']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec
ALTER ROLE historian LOGIN PASSWORD :'historian_password';
ALTER ROLE reader LOGIN PASSWORD :'reader_password';
ALTER ROLE historian_api LOGIN PASSWORD :'api_password';
ALTER ROLE historian_api SET default_transaction_read_only = on;
ALTER ROLE reader SET default_transaction_read_only = on;
-- Inherited, so that a historian that was not told of these roles yet goes on with what it owned before.
GRANT dotbus_owner, dotbus_writer TO historian;
GRANT dotbus_reader TO historian_api, reader;

-- Before these roles `historian` owned the database and everything in it, and readers read `public`.
REASSIGN OWNED BY historian TO dotbus_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE historian IN SCHEMA public REVOKE SELECT ON TABLES FROM reader;

ALTER DATABASE :"database" OWNER TO dotbus_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
-- Large objects need no right to any table: without this everybody who may connect could fill the disk with them.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^lo(_|read$|write$)' AND pg_has_role(proowner, 'USAGE') \gexec
GRANT CONNECT ON DATABASE :"database" TO dotbus_writer, dotbus_reader;
-- Views are found by their names alone.
ALTER DATABASE :"database" SET search_path = dotbus, public;
-- The planner cannot know how little of the months a question opens, and would compile for seconds what takes milliseconds.
ALTER DATABASE :"database" SET jit = off;
SQL
# Beyond this container's own socket: only with TLS.
[ ! -w "$PGDATA/pg_hba.conf" ] || sed -i 's/^host[[:space:]]/hostssl /' "$PGDATA/pg_hba.conf"
