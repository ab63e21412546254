#!/bin/bash
# Who may do what in the database. PostgreSQL's image runs this once, on an empty data folder; it may be run again at any
# time to take over changed passwords:
#   docker compose exec postgres bash /docker-entrypoint-initdb.d/10-roles.sh
# historian owns the database and makes its tables; reader may only look.
psql --set ON_ERROR_STOP=1 --quiet --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-dotbus}" <<'SQL' || exit 1
\set historian_password `cat /run/dotbus/historian.password`
\set reader_password `cat /run/dotbus/reader.password`
SELECT format('CREATE ROLE %I', wanted) FROM unnest(ARRAY['historian', 'reader']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec
ALTER ROLE historian LOGIN PASSWORD :'historian_password';
ALTER ROLE reader LOGIN PASSWORD :'reader_password';
ALTER ROLE reader SET default_transaction_read_only = on;
SELECT current_database() AS database \gset
ALTER DATABASE :"database" OWNER TO historian;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO reader;
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE historian IN SCHEMA public GRANT SELECT ON TABLES TO reader;
SQL
# Beyond this container's own socket: only with TLS.
sed -i 's/^host[[:space:]]/hostssl /' "$PGDATA/pg_hba.conf"
