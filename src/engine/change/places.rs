//! Which variables may say where a program finds what it calls, as whom and how: addresses, names, ports, credentials, pools,
//! time-outs, and the name of an environment, which stands for all of these.
//!
//! A variable that may is taken for one that does only where it changed. Not to know one means that a change of it does
//! not blame the revision for a service that fails, before pods of the healthy revision were heard.

// The types alone, without sockets.
use core::net::{IpAddr, SocketAddr};

/// A part of a name that ends so.
const ENDS: [&str; 34] = [
    "URL",
    "URLS",
    "URI",
    "URIS",
    "HOST",
    "HOSTS",
    "HOSTNAME",
    "ADDR",
    "ADDRS",
    "ADDRESS",
    "ADDRESSES",
    "ENDPOINT",
    "ENDPOINTS",
    "DSN",
    "SERVER",
    "SERVERS",
    "BROKER",
    "BROKERS",
    "PROXY",
    "DATABASE",
    "CONNECTION",
    "CONNECTIONS",
    "CONNECTIONSTRING",
    "SERVICE",
    "UPSTREAM",
    "BACKEND",
    "PASSWORD",
    "PASSWD",
    "USER",
    "USERNAME",
    "TOKEN",
    "SECRET",
    "CREDENTIALS",
    "TIMEOUT",
];
/// A part of a name that is this.
const PARTS: [&str; 50] = [
    "DB",
    "SQL",
    "MYSQL",
    "MARIADB",
    "POSTGRES",
    "POSTGRESQL",
    "MSSQL",
    "ORACLE",
    "JDBC",
    "ODBC",
    "MONGO",
    "MONGODB",
    "REDIS",
    "VALKEY",
    "MEMCACHED",
    "CASSANDRA",
    "ELASTICSEARCH",
    "KAFKA",
    "RABBITMQ",
    "AMQP",
    "NATS",
    "ETCD",
    "VAULT",
    "CONSUL",
    "LDAP",
    "SMTP",
    "S3",
    "DNS",
    "TLS",
    "SSL",
    "CA",
    "CERT",
    "AUTH",
    "KEY",
    "PASS",
    "PWD",
    "POOL",
    "WAIT",
    "TARGET",
    "TARGETS",
    "PEERS",
    "DOMAIN",
    "ENV",
    "ENVIRONMENT",
    "PROFILE",
    "PROFILES",
    "STAGE",
    "REGION",
    "TENANT",
    "CLUSTER",
];
/// A dotted name that ends so is one of a host, and not of a class or a file.
const ZONES: [&str; 10] = [".svc", ".local", ".internal", ".com", ".net", ".org", ".io", ".dev", ".cloud", ".lan"];

/// The variable may lead to a service.
pub fn may_lead(name: &str, value: &str) -> bool {
    is_named_so(name) || (is_port(value) && ends(name, "PORT")) || value.contains("$(") || leads(value)
}

fn is_named_so(name: &str) -> bool {
    parts(name).any(|part| {
        // What libpq reads, such as PGSSLMODE.
        PARTS.contains(&&*part) || part.starts_with("PG") || ENDS.iter().any(|end| part.ends_with(end))
    })
}

fn ends(name: &str, end: &str) -> bool {
    parts(name).any(|part| part.ends_with(end))
}

fn parts(name: &str) -> impl Iterator<Item = String> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_uppercase)
}

/// A value, or a part of one that holds several, is an address, or assigns one.
fn leads(value: &str) -> bool {
    let separates =
        |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\'' | '{' | '}' | '(' | ')' | '|' | '&');
    value.split(separates).any(|token| match token.split_once('=') {
        Some((name, value)) => is_named_so(name.trim_start_matches("-D")) || is_address(value),
        None => is_address(token),
    })
}

fn is_address(token: &str) -> bool {
    let host = token.trim_end_matches('/');
    token.contains("://") || is_at_a_host(token) || is_host_and_port(host) || host.parse::<IpAddr>().is_ok() || {
        is_host(host) && ZONES.iter().any(|zone| host.ends_with(zone))
    }
}

/// `user@host`.
fn is_at_a_host(token: &str) -> bool {
    token
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

/// A time of day has no letters before its colon.
fn is_host_and_port(token: &str) -> bool {
    let named =
        |(host, port): (&str, &str)| is_host(host) && host.contains(|c: char| c.is_ascii_alphabetic()) && is_port(port);
    token.parse::<SocketAddr>().is_ok() || token.rsplit_once(':').is_some_and(named)
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("DATABASE_URL", "anything")]
    #[case("databaseUrl", "")]
    #[case("spring.datasource.url", "")]
    #[case("DB", "ledger-2")]
    #[case("DB_POOL_SIZE", "5")]
    #[case("PGSSLMODE", "require")]
    #[case("REDIS_MASTER_NAME", "mymaster")]
    #[case("LEDGER_SERVICE_HOST", "ledger")]
    #[case("API_TOKEN", "x")]
    #[case("HTTP_TIMEOUT", "1s")]
    #[case("SPRING_PROFILES_ACTIVE", "staging")]
    #[case("APP_ENV", "staging")]
    #[case("PORT", "8081")]
    #[case("LEDGER_PORT", "5433")]
    #[case::an_address_under_any_name("LEDGER", "http://ledger:8080")]
    #[case("LEDGER", "ledger:8080")]
    #[case("LEDGER", "10.0.0.7")]
    #[case("LEDGER", "[fd00::7]:5432")]
    #[case("LEDGER", "ledger.bank.svc")]
    #[case("LEDGER", "app@ledger")]
    #[case::one_of_several("LEDGERS", "a, b:9092")]
    #[case::assigned("JAVA_OPTS", "-Xmx1g -Ddb.host=ledger")]
    #[case::in_json("SETTINGS", "{\"ledger\": \"ledger:5432\"}")]
    #[case::of_another_variable("LEDGER", "$(OTHER)")]
    fn it_may_lead_to_a_service(#[case] name: &str, #[case] value: &str) {
        assert!(may_lead(name, value));
    }

    #[rstest]
    #[case("LOG_LEVEL", "debug")]
    #[case("LOG_FORMAT", "json")]
    #[case("RUST_LOG", "app=debug,hyper=info")]
    #[case("GOMAXPROCS", "4")]
    #[case("JAVA_OPTS", "-Xmx1g -Dfile.encoding=UTF-8")]
    #[case("FEATURE_NEW_CART", "true")]
    #[case("SECURITY", "strict")]
    #[case("REPORT", "daily")]
    #[case("VERSION", "2.0.1")]
    #[case("BUILD", "2026-03-01T10:30:00Z")]
    #[case("START_AT", "12:30")]
    #[case("MAIN_CLASS", "com.example.shop.Main")]
    #[case("DATA_DIR", "/var/lib/app")]
    #[case("RATIO", "0.75")]
    #[case("EMPTY", "")]
    fn it_leads_nowhere(#[case] name: &str, #[case] value: &str) {
        assert!(!may_lead(name, value));
    }

    proptest! {
        #[test]
        fn any_variable_is_read(name in "\\PC{0,40}", value in "\\PC{0,80}|[a-z0-9:@/=.\\[\\]-]{0,40}") {
            let _ = may_lead(&name, &value);
        }
    }
}
