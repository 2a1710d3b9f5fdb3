//! What a program ended on, where no table has its words or something else was said before.

use rstest::rstest;

use super::*;

fn lead(log: &str) -> Option<Cause> {
    read(log.as_bytes()).lead(true).map(|lead| lead.cause)
}

/// As Node reports an error that nobody caught.
fn node(error: &str) -> String {
    format!("starting\n/app/x.js:121\n      throw e;\n      ^\n\n{error}\n\nNode.js v20.11.0\n")
}

fn python(error: &str) -> String {
    format!("Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in <module>\n    main()\n{error}\n")
}

const FRAME: &str = "\n    at t (/app/x.js:112:2488)";

#[rstest]
#[case::prisma(
    "PrismaClientInitializationError: Can't reach database server at `db:5432`\n\nPlease make sure your database server is running at `db:5432`.",
    Cause::DependencyUnreachable
)]
#[case::a_setting(
    "PrismaClientInitializationError: error: Environment variable not found: DATABASE_URL.\n  -->  schema.prisma:8\n   | \n\nValidation Error Count: 1",
    Cause::ConfigError
)]
#[case::a_table(
    "PrismaClientKnownRequestError: \nInvalid `prisma.user.findMany()` invocation in\n/app/index.js:5:30\n\n  2 \n→ 3 await prisma.user.findMany(\nThe table `public.User` does not exist in the current database.",
    Cause::SchemaMismatch
)]
#[case::a_password(
    "PrismaClientInitializationError: Authentication failed against database server at `db`\n\nPlease check it.",
    Cause::DatabaseAuth
)]
#[case::of_a_name_without_an_end("ErrorReply: NOAUTH Authentication required.", Cause::DatabaseAuth)]
#[case::in_brackets("[ErrorReply: WRONGPASS invalid username-password pair or user is disabled.]", Cause::DatabaseAuth)]
#[case::retries("KafkaJSNumberOfRetriesExceeded: Connection timeout", Cause::DependencyUnreachable)]
#[case::many(
    "AggregateError\n    at a (node:net:1:1) {\n  code: 'ECONNREFUSED',\n  [errors]: []\n}",
    Cause::DependencyUnreachable
)]
#[case::grpc("Error: 4 DEADLINE_EXCEEDED: Deadline exceeded", Cause::UpstreamTimeout)]
#[case::sql("ConnectionError: Failed to connect to sql:1433 in 15000ms", Cause::DependencyUnreachable)]
#[case::the_code("TypeError: a is undefined\n\nmore", Cause::Panic)]
#[case::the_code_beside_a_connection(
    "TypeError: Cannot read properties of undefined (reading 'connect')",
    Cause::Panic
)]
fn a_report_of_node_holds_the_whole_message(#[case] error: &str, #[case] cause: Cause) {
    let log = node(&format!("{error}{FRAME}"));
    let reading = read(log.as_bytes());
    let lead = reading.lead(true).unwrap();
    assert_eq!((lead.cause, lead.last_words), (cause, true));
    let first = error.lines().next().unwrap().trim();
    assert_eq!(&*reading.fatal.unwrap().text, first);
    assert_eq!(reading.root.unwrap().line, 6);
}

/// Words of no table: what a program fails over is not its own doing because nobody knows the words.
#[rstest]
#[case(&python("kafka.errors.NoBrokersAvailable: NoBrokersAvailable"), Cause::DependencyUnreachable)]
#[case(&python("redis.exceptions.TimeoutError: Timeout connecting to server"), Cause::DependencyUnreachable)]
#[case(&python("pika.exceptions.AMQPConnectionError"), Cause::DependencyUnreachable)]
#[case(&python("botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL: \"https://sqs/\""), Cause::DependencyUnreachable)]
#[case(&python("requests.exceptions.ConnectTimeout: HTTPConnectionPool(host='api', port=80): Max retries exceeded with url: / (Caused by ConnectTimeoutError(<urllib3.connection.HTTPConnection object at 0x7f>, 'Connection to api timed out. (connect timeout=5)'))"), Cause::DependencyUnreachable)]
#[case(&python("pyodbc.OperationalError: ('HYT00', '[HYT00] [Microsoft][ODBC Driver 18 for SQL Server]Login timeout expired (0) (SQLDriverConnect)')"), Cause::DependencyUnreachable)]
#[case(&python("oracledb.exceptions.OperationalError: DPY-6005: cannot connect to database (CONNECTION_ID=x)."), Cause::DependencyUnreachable)]
#[case(&python("TimeoutError"), Cause::UpstreamTimeout)]
#[case(
    "panic: failed to connect database: read tcp 10.0.0.9:40312->10.0.0.5:5432: i/o timeout\n\ngoroutine 1 [running]:\n",
    Cause::DependencyUnreachable
)]
#[case(
    "panic: read tcp 10.0.0.9:40312->10.0.0.5:5432: i/o timeout\n\ngoroutine 1 [running]:\n",
    Cause::UpstreamTimeout
)]
#[case("2026/01/02 03:04:05 etcdserver: request timed out\n", Cause::UpstreamTimeout)]
#[case("time=\"x\" level=fatal msg=\"etcdserver: request timed out\"\n", Cause::UpstreamTimeout)]
#[case(
    "Unhandled exception. Microsoft.Data.SqlClient.SqlException (0x80131904): Connection Timeout Expired.  The timeout period elapsed while attempting to consume the pre-login handshake acknowledgement.\n   at x\n",
    Cause::DependencyUnreachable
)]
#[case(
    "Unhandled exception. Npgsql.NpgsqlException (0x80004005): Exception while reading from stream\n ---> System.TimeoutException: Timeout during reading attempt\n   at x\n",
    Cause::UpstreamTimeout
)]
#[case(
    "Unhandled exception. Confluent.Kafka.KafkaException: Local: Broker transport failure\n   at x\n",
    Cause::DependencyUnreachable
)]
#[case(
    "ConnectionError: Failed to connect to sql:1433 in 15000ms\n    at Connection.connectTimeout {\n  code: 'ETIMEOUT'\n}\n",
    Cause::DependencyUnreachable
)]
#[case(
    "AggregateError\n    at a (node:net:1:1) {\n  code: 'ECONNREFUSED',\n  [errors]: []\n}\n",
    Cause::DependencyUnreachable
)]
#[case(
    "app.rb:3:in 'x': Could not establish TCP connection to any of the configured hosts (Bunny::TCPConnectionFailedForAllHosts)\n",
    Cause::DependencyUnreachable
)]
#[case(
    "Exception in thread \"main\" a.B: c\n\tat d\nCaused by: org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment. Call: listNodes\n",
    Cause::UpstreamTimeout
)]
#[case(
    "ERROR c.e.Main : Application run failed\na.BException: c\n\tat d\nCaused by: java.net.ConnectException: null\n\tat e\n",
    Cause::DependencyUnreachable
)]
#[case("Exception in thread \"main\" java.nio.channels.UnresolvedAddressException\n\tat d\n", Cause::DnsFailure)]
#[case(
    "Exception in thread \"main\" feign.RetryableException: Read timed out executing GET http://orders/\n\tat d\n",
    Cause::UpstreamTimeout
)]
#[case("ERROR c.e.Main : could not connect to the ledger\n", Cause::DependencyUnreachable)]
#[case::a_bug(
    "Exception in thread \"main\" java.lang.NullPointerException\n\tat c.e.ConnectionPool.take(ConnectionPool.java:12)\n",
    Cause::Panic
)]
#[case::a_key(&python("KeyError: 'timeout'"), Cause::Panic)]
#[case::a_flag(&python("ValueError: connection timeout out of range"), Cause::Panic)]
#[case::erlang(
    "Kernel pid terminated (application_controller) (\"{application_terminated,shop,{badarg,[{shop,init,1}]}}\")\n",
    Cause::Panic
)]
#[case::a_loop(
    "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.connect()\n",
    Cause::Panic
)]
#[case::rust("thread 'main' panicked at src/connection.rs:5:9:\nindex out of bounds: the len is 3\n", Cause::Panic)]
fn an_error_that_speaks_of_what_it_calls_is_not_of_the_code(#[case] log: &str, #[case] cause: Cause) {
    assert_eq!(lead(&format!("starting\n{log}")), Some(cause));
}

#[test]
fn what_it_got_through_after_all_did_not_end_it() {
    assert_eq!(lead("ERROR main: could not connect to the ledger\nINFO connected to the ledger\nINFO bye\n"), None);
    assert_eq!(lead("INFO main: could not connect to the ledger, going on without\n"), None);
    let debugged = "DEBUG 1 --- a : first attempt\njava.net.ConnectException: null\n\tat b\nINFO third attempt\n";
    assert_eq!(lead(debugged), None);
    let goes_on = read(b"up\nERROR main: could not connect to the ledger\n");
    assert_eq!(goes_on.lead(false), None, "it may come of itself");
}

#[test]
fn an_error_of_a_server_is_not_out_of_memory() {
    for code in ["", "OOM "] {
        let error =
            format!("redis.exceptions.OutOfMemoryError: {code}command not allowed when used memory > 'maxmemory'.");
        assert_eq!(lead(&python(&error)), Some(Cause::DatabaseUnavailable));
    }
    assert_eq!(lead(&python("MemoryError")), Some(Cause::RuntimeOutOfMemory));
    assert_eq!(lead(&python("a.OutOfMemoryError: the plan has no room")), Some(Cause::Panic));
}

const OPTIONAL: &str = "WARN x.y.Z : Optional feature off: java.lang.ClassNotFoundException: com.foo.Optional\n";
const X509: &str = "ERROR webhook call: x509: certificate has expired or is not yet valid\n";
const NO_PLAN: &str = "ERROR c.e.Main : tenant 5 has no plan, exiting\n";

/// One warning, or one error long before the last one, which is of something else, did not end the program.
#[rstest]
#[case::soon(OPTIONAL, 1, NO_PLAN, None)]
#[case::late(OPTIONAL, 300, NO_PLAN, None)]
#[case::fatal(OPTIONAL, 1, "FATAL c.e.Main : tenant 5 has no plan, exiting\n", None)]
#[case::twice(
    "WARN a: java.lang.ClassNotFoundException: b\nWARN c: java.lang.ClassNotFoundException: d\n",
    1,
    NO_PLAN,
    None
)]
#[case::an_error(X509, 300, "ERROR feed 12: bad record, exiting\n", None)]
#[case::an_error_soon(X509, 3, "ERROR feed 12: bad record, exiting\n", Some(Cause::TlsFailure))]
#[case::an_error_that_repeats(&X509.repeat(3), 300, "ERROR feed 12: bad record\n", Some(Cause::TlsFailure))]
#[case::at_once(OPTIONAL, 0, NO_PLAN, Some(Cause::MissingCode))]
#[case::a_consequence(OPTIONAL, 1, "ERROR c.e.Main : shutting down\n", Some(Cause::MissingCode))]
#[case::not_started(OPTIONAL, 1, "ERROR c.e.Main : Application failed to start\n", Some(Cause::MissingCode))]
#[case::of_a_call(X509, 300, "ERROR c.e.Main : lost the webhook, giving up\n", Some(Cause::TlsFailure))]
#[case::the_schema("ERROR relation \"orders\" does not exist\n", 300, NO_PLAN, Some(Cause::SchemaMismatch))]
fn the_last_error_decides(#[case] before: &str, #[case] lines: usize, #[case] end: &str, #[case] cause: Option<Cause>) {
    let reading = read(format!("{before}{}{end}", "INFO ok\n".repeat(lines)).as_bytes());
    assert_eq!(reading.lead(true).map(|lead| lead.cause), cause);
    assert_eq!(&*reading.fatal.unwrap().text, end.trim_end());
}

#[test]
fn the_name_of_a_test_is_no_report() {
    let tests = "  ✓ throws on Cannot find module 'x' (1 ms)\n  ✕ adds numbers (5 ms)\nok 3 - Cannot find module 'y'\n";
    assert_eq!(lead(&format!("{tests}Tests: 1 failed, 1 passed\n")), None);
    assert_eq!(lead(&format!("{tests}Error: Cannot find module 'x'\n")), Some(Cause::MissingCode));
}

/// A warning about something by the way is no end, as before a crash that left no words.
#[rstest]
#[case("WARN otel: failed to connect to collector:4317, dropping spans\n", None)]
#[case("ERROR main: failed to connect to ledger:4317, giving up\n", Some(Cause::DependencyUnreachable))]
fn a_warning_is_no_end(#[case] log: &str, #[case] cause: Option<Cause>) {
    assert_eq!(lead(log), cause);
}
