# shellcheck shell=bash
# A PostgreSQL in the node's network, the server that Debian packages. It is started when a test asks for it.

postgres_home=/run/postgresql
postgres_port=5432

# The server refuses to run as root.
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; }

# make_database fills the state directory, which is seen under a short path: the server's user may not be let through
# the directories above it, and the name of a socket is short.
make_database() {
  local programs=$1
  openssl rand -hex 16 >"$state/postgres.password"
  install -d -o postgres -g postgres -m 700 "$state/postgres" "$postgres_home"
  install -o postgres -g postgres -m 600 "$state/postgres.password" "$state/postgres/password"
  mount --bind "$state/postgres" "$postgres_home"
  cd "$postgres_home" || return
  as_postgres "$programs/initdb" --pgdata "$postgres_home/data" --username postgres --pwfile "$postgres_home/password" \
    --auth scram-sha-256 --encoding UTF8 --locale C --no-sync
  echo "host all all $pod_net.0/16 scram-sha-256" >>"$postgres_home/data/pg_hba.conf"
}

# start_postgres runs inside the namespaces. Its data needs to survive nothing, and its shared memory lies with it, not in
# /dev/shm, which is the host's.
start_postgres() {
  local programs
  programs=$(postgres_programs)
  [[ -n $programs ]] || die "there is no PostgreSQL in /usr/lib/postgresql: run tests/cluster/build postgres"
  [[ -f $state/postgres/data/PG_VERSION ]] || (make_database "$programs") >>"$state/log/postgres.log" 2>&1 ||
    die "no database: $(tail -n 5 "$state/log/postgres.log")"
  launch postgres setpriv --reuid=postgres --regid=postgres --clear-groups -- "$programs/postgres" -D "$postgres_home/data" \
    -c "listen_addresses=$pod_net.1" -c "port=$postgres_port" -c "unix_socket_directories=$postgres_home" \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c dynamic_shared_memory_type=mmap
  wait_for 30 PostgreSQL "$programs/pg_isready" --host "$pod_net.1" --port "$postgres_port" ||
    die "PostgreSQL did not start: $(tail -n 5 "$state/log/postgres.log")"
}

# command_postgres starts it if it does not run, and prints by which URL it is administered.
command_postgres() {
  [[ $mode == node ]] || die "simulated nodes have no network of their own for a PostgreSQL"
  running postgres || inside "$cluster_src/cluster" inside-start-postgres --name "$name" --state "$state" >&2
  printf 'postgres://postgres:%s@%s:%s/postgres\n' "$(<"$state/postgres.password")" "$pod_net.1" "$postgres_port"
}
