//! What databases and their drivers say.
//!
//! PostgreSQL's texts are those of its server (`src/backend`), which every driver passes on with a prefix of its own; so
//! are MySQL's (`share/messages_to_clients.txt`), SQL Server's (`sys.messages`), Redis' and MongoDB's. The rest are
//! texts of pools, drivers and migration tools.

use super::{FATAL, Group, ONCE, QUIET, RETRIED, WEAK};
use crate::engine::words::Cause;

pub(super) const GROUPS: &[Group] = &[
    Group {
        cause: Cause::PoolExhausted,
        how: RETRIED,
        texts: &[
            // HikariCP, Tomcat JDBC, commons-dbcp and commons-pool, c3p0, R2DBC, Apache HttpClient, Reactor Netty.
            "Connection is not available, request timed out after {#}ms",
            "Timeout: Pool empty. Unable to fetch a connection in",
            "Cannot get a connection, pool error",
            "Timeout waiting for idle object",
            "An attempt by a client to checkout a Connection has timed out",
            "Connection acquisition timed out after {#}ms",
            "Timeout waiting for connection from pool",
            "Pool#acquire(Duration) has been pending for more than the configured timeout",
            "Timeout waiting for a pooled item after",
            // SQLAlchemy, psycopg, MySQL Connector/Python.
            "QueuePool limit of size {#} overflow {w} reached, connection timed out",
            "couldn't get a connection after {w} sec",
            "Failed getting connection; pool exhausted",
            // Knex, node-postgres, generic-pool, Sequelize, MongoDB's driver for Node, Prisma.
            "Timeout acquiring a connection. The pool is probably full",
            "timeout exceeded when trying to connect",
            "ResourceRequest timed out",
            "SequelizeConnectionAcquireTimeoutError",
            "Timed out while checking out a connection from connection pool",
            "Timed out fetching a new connection from the connection pool",
            // Npgsql, SqlClient and MySql.Data, MySqlConnector.
            "The connection pool has been exhausted, either raise",
            "prior to obtaining a connection from the pool",
            "All pooled connections are in use",
            // sqlx, r2d2, bb8, deadpool.
            "pool timed out while waiting for an open connection",
            "timed out waiting for connection: ",
            "Timed out in bb8",
            "Timeout occurred while waiting for a slot to become available",
            // Active Record, Ecto, go-redis, Jedis, PgBouncer.
            "could not obtain a connection from the pool within {} seconds",
            "connection not available and request was dropped from queue after {#}ms",
            "redis: connection pool timeout",
            "JedisExhaustedPoolException",
            "query_wait_timeout",
            // MongoDB's driver for Java, SeaORM.
            "ms while waiting for a connection to server",
            "Too many operations are already waiting for a connection",
            "Connection pool timed out",
            // pgx and database/sql give up with the bare error of the context, and programs say what they were at;
            // go-pg, Bun.
            "acquire connection: context deadline exceeded",
            "acquiring connection: context deadline exceeded",
            "acquire conn: context deadline exceeded",
            "acquiring conn: context deadline exceeded",
            "connection from pool: context deadline exceeded",
            "pg: connection pool timeout",
            // Prisma P2024 where only the code is logged, Druid, Jedis.
            "{!}code{q}P2024{!}",
            "Error code: P2024{!}",
            "Error: P2024{!}",
            "GetConnectionTimeoutException: ",
            "Could not get a resource from the pool",
            // sqlx by the name of its error.
            "{!}PoolTimedOut{!}",
        ],
    },
    Group {
        cause: Cause::TooManyConnections,
        how: RETRIED,
        texts: &[
            // PostgreSQL 53300 and PgBouncer.
            "sorry, too many clients already",
            "remaining connection slots are reserved for",
            "too many connections for role \"",
            "too many connections for database \"",
            "no more connections allowed (max_client_conn)",
            "client connections exceeded (max_db_client_connections)",
            // MySQL 1040, 1203 and 1226.
            "Too many connections",
            "already has more than 'max_user_connections' active connections",
            "has exceeded the '{w}' resource (current value: {#})",
            // Redis, SQL Server 10928, MongoDB.
            "max number of clients reached",
            "limit for the database is {#} and has been reached",
            "connection refused because too many open connections",
            "SQLSTATE{~}53300{!}",
            "{!}code{q}53300{!}",
        ],
    },
    Group {
        cause: Cause::DatabaseDeadlock,
        how: RETRIED,
        texts: &[
            "deadlock detected",
            "Deadlock found when trying to get lock",
            "was deadlocked on {} resources with another process and has been chosen as the deadlock victim",
            "Write conflict during plan execution and yielding is disabled",
            "WriteConflict error",
            "codeName: 'WriteConflict'",
            "(WriteConflict)",
            "{!}WriteConflict{!}",
            "SQLSTATE{~}40P01{!}",
            "{!}code{q}40P01{!}",
        ],
    },
    Group {
        cause: Cause::DatabaseLockTimeout,
        how: RETRIED,
        texts: &[
            "Lock wait timeout exceeded; try restarting transaction",
            "canceling statement due to lock timeout",
            "canceling statement due to statement timeout",
            "could not obtain lock on relation",
            "could not obtain lock on row in relation",
            "Execution Timeout Expired",
            "Lock request time out period exceeded",
            "maximum statement execution time exceeded",
            "ORA-00054: resource busy",
            "database is locked",
            "database table is locked",
            "(MaxTimeMSExpired)",
            "operation exceeded time limit",
            // MariaDB 1969, SQLite.
            "max_statement_time exceeded",
            "SQLITE_BUSY",
            // SqlClient before Microsoft.Data, PostgreSQL 57014 and 55P03 by their codes.
            "timeout period elapsed prior to completion of the operation",
            "SQLSTATE{~}57014{!}",
            "{!}code{q}57014{!}",
            "SQLSTATE{~}55P03{!}",
            "{!}code{q}55P03{!}",
        ],
    },
    Group {
        cause: Cause::SchemaMismatch,
        how: ONCE,
        texts: &[
            // PostgreSQL 42P01, 42703, 42883, 42704 and 3F000; a column may be named with its table and no quotes.
            "relation \"{}\" does not exist",
            "column \"{}\" does not exist",
            "column \"{}\" of relation \"{}\" does not exist",
            "column {w} does not exist",
            "function {w}({}) does not exist",
            "operator does not exist: ",
            "type \"{}\" does not exist",
            "schema \"{}\" does not exist",
            // MySQL 1146 and 1054.
            "Table '{}.{}' doesn't exist",
            "Unknown column '{}' in '",
            // SQL Server 208 and 207, SQLite, Oracle.
            "Invalid object name '{}'",
            "Invalid column name '{}'",
            "no such table: ",
            "no such column: ",
            "has no column named ",
            "ORA-00942: table or view",
            "ORA-00904: ",
            // Prisma P2021 and P2022, Hibernate's validation.
            "The table `{}` does not exist in the current database",
            "The column `{}` does not exist in the current database",
            "Schema-validation: missing ",
            "Schema-validation: wrong column type",
            // Codes alone: PostgreSQL 42P01 and 42703, Prisma P2021 and P2022.
            "SQLSTATE{~}42P01{!}",
            "{!}code{q}42P01{!}",
            "SQLSTATE{~}42703{!}",
            "{!}code{q}42703{!}",
            "{!}code{q}P2021{!}",
            "Error code: P2021{!}",
            "{!}code{q}P2022{!}",
            "Error code: P2022{!}",
        ],
    },
    Group {
        cause: Cause::MigrationFailed,
        how: ONCE,
        texts: &[
            // Flyway.
            "Migrations have failed validation",
            "Migration checksum mismatch for migration",
            "Detected failed migration to version",
            "contains a failed migration to version",
            "Detected applied migration not resolved locally",
            "Detected resolved migration not applied to database",
            "FlywayMigrateException",
            "Found non-empty schema(s) {} but no schema history table",
            // Liquibase.
            "Migration failed for change set",
            "Migration failed for changeset",
            "Could not acquire change log lock",
            // golang-migrate, goose.
            "Dirty database version {#}. Fix and force version",
            "no migration found for version {#}",
            "failed to run SQL migration",
            // Rails, Alembic, Django.
            "Migrations are pending. To resolve this issue",
            "this and all later migrations canceled",
            "Cannot run migrations because another migration process is currently running",
            "Can't locate revision identified by",
            "Multiple head revisions are present",
            "Target database is not up to date",
            "InconsistentMigrationHistory",
            "Conflicting migrations detected",
            "NodeNotFoundError: Migration ",
            // Prisma P3009 and P3018, Knex, TypeORM, Entity Framework.
            "migrate found failed migrations in the target database",
            "A migration failed to apply. New migrations cannot be applied",
            "The migration directory is corrupt, the following files are missing",
            "Migration table is already locked",
            "Migration \"{}\" failed, error:",
            "has pending changes. Add a new migration",
            // sqlx.
            "migration {#} was previously applied but is missing in the resolved migrations",
            "migration {#} was previously applied but has been modified",
            "migration {#} is partially applied",
            "Error: P3009{!}",
            "Error: P3018{!}",
            "{!}code{q}P3009{!}",
        ],
    },
    Group {
        cause: Cause::MigrationFailed,
        how: WEAK,
        texts: &[
            "failed to run migrations",
            "failed to apply migration",
            "error running migrations",
            "migration failed:",
        ],
    },
    Group {
        cause: Cause::MigrationFailed,
        how: QUIET,
        // Liquibase at level info, golang-migrate.
        texts: &["Waiting for changelog lock", "can't acquire lock", "try lock failed in line"],
    },
    Group {
        cause: Cause::DatabaseAuth,
        how: ONCE,
        texts: &[
            // PostgreSQL 28P01, 28000, 3D000 and 42501, and its drivers.
            "password authentication failed for user",
            "no pg_hba.conf entry for host",
            "database \"{}\" does not exist",
            "role \"{}\" does not exist",
            "permission denied for table ",
            "permission denied for relation ",
            "permission denied for schema ",
            "permission denied for database ",
            "permission denied for sequence ",
            "no password supplied",
            "client password must be a string",
            "The server requested password-based authentication, but no password was provided",
            // MySQL 1045, 1044, 1049, 1130 and 1251.
            "Access denied for user '{}'@'{}'",
            "Unknown database '{}'",
            "is not allowed to connect to this MySQL server",
            "is not allowed to connect to this MariaDB server",
            "Client does not support authentication protocol requested by server",
            // SQL Server 18456 and 4060, Oracle.
            "Login failed for user '",
            "Cannot open database \"{}\" requested by the login",
            "ORA-01017: ",
            // Redis.
            "NOAUTH Authentication required",
            "WRONGPASS invalid username-password pair",
            "NOPERM this user has no permissions",
            "ERR invalid password",
            // MongoDB 18 and 13.
            "MongoServerError: Authentication failed",
            "(AuthenticationFailed)",
            "Exception authenticating MongoCredential",
            "Authentication failed., full error",
            "not authorized on {w} to execute command",
            // PostgreSQL's other ways to authenticate and 42501, MySQL 1142, SQL Server 229, Prisma P1000 and P1003, Active Record.
            "Peer authentication failed for user",
            "Ident authentication failed for user",
            "certificate authentication failed for user",
            "must be owner of table ",
            "command denied to user '",
            "permission was denied on the object '",
            "Authentication failed against database server",
            "Database `{}` does not exist on the database server",
            "We could not find your database: ",
            // Codes alone: PostgreSQL 28P01 and 3D000, MongoDB 18.
            "SQLSTATE{~}28P01{!}",
            "{!}code{q}28P01{!}",
            "SQLSTATE{~}3D000{!}",
            "{!}code{q}3D000{!}",
            "codeName{q}AuthenticationFailed{!}",
            // PostgreSQL's SCRAM for drivers without it, MySQL 8, Oracle, Redis' users, Azure SQL's firewall.
            "The server requested SCRAM-based authentication, but no password was provided",
            "The authentication type {#} is not supported",
            "SCRAM authentication requires libpq version",
            "Public Key Retrieval is not allowed",
            "ORA-28000{!}",
            "NOPERM User {w} has no permissions",
            "Client with IP address '{}' is not allowed to access the server",
            // Services that are no databases: RabbitMQ, Vault, AWS.
            "ACCESS_REFUSED - Login was refused",
            "Code: 403. Errors:",
            " is not authorized to perform: ",
            "(AccessDenied) when calling the",
            "(ExpiredToken) when calling the",
            "(InvalidClientTokenId) when calling the",
            "(UnrecognizedClientException) when calling the",
        ],
    },
    // MongoDB's words without a name; a server may say them of its clients too.
    Group { cause: Cause::DatabaseAuth, how: FATAL, texts: &["{^}Authentication failed."] },
    Group {
        cause: Cause::DatabaseUnavailable,
        how: RETRIED,
        texts: &[
            // PostgreSQL 57P03, 57P01, 57P02 and 25006.
            "the database system is starting up",
            "the database system is shutting down",
            "the database system is in recovery mode",
            "the database system is not yet accepting connections",
            "terminating connection due to administrator command",
            "terminating connection because of crash of another server process",
            "server closed the connection unexpectedly",
            "SSL SYSCALL error: EOF detected",
            "SQLSTATE{~}57P01{!}",
            "{!}code{q}57P01{!}",
            "SQLSTATE{~}57P03{!}",
            "{!}code{q}57P03{!}",
            "in a read-only transaction",
            // Redis.
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN ",
            "MISCONF Redis is configured to save RDB snapshots",
            "MISCONF Errors writing to the AOF file: No space left on device",
            "MISCONF Errors writing to the AOF file",
            "NOREPLICAS Not enough good replicas",
            "OOM command not allowed when used memory > 'maxmemory'",
            // MongoDB.
            "Server selection timed out after {#} ms",
            "MongoServerSelectionError",
            "ServerSelectionTimeoutError",
            "while waiting for a server that matches",
            "server selection error: ",
            "NotWritablePrimary",
            "not primary and secondaryOk=false",
            "not master and slaveOk=false",
            "A timeout occurred after {#}ms selecting a server",
            // MySQL 2006, 2013 and 1290, SQL Server 40613, SQLite.
            "server has gone away",
            "Lost connection to MySQL server",
            "so it cannot execute this statement",
            "is not currently available.  Please retry the connection later",
            "A transport-level error has occurred",
            "database disk image is malformed",
            // Mongoose, node-postgres, mysqljs, database/sql, MySQL 1129.
            "buffering timed out after {#}ms",
            "Connection terminated unexpectedly",
            "Connection lost: The server closed the connection",
            "driver: bad connection",
            "is blocked because of many connection errors",
            // Vault.
            "{^}Vault is sealed",
            "Code: 503. Errors:",
        ],
    },
];
