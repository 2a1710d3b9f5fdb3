//! How fast logs are read on one core, by what they are like.

use std::hint::black_box;
use std::time::{Duration, Instant};

use backstay::engine::logs::{self, MAX_BYTES};

/// Each figure is the best of so many rounds: others may use the machine too.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(300);

/// Writes the n-th lines of a log.
type Lines = fn(usize) -> String;

const KINDS: [(&str, Lines); 7] = [
    ("plain", plain),
    ("json", json),
    ("failing", failing),
    ("failing_json", failing_json),
    ("every_line_fails", |n| format!("ERROR attempt {n}: dial tcp 10.0.0.5:5432: connect: connection refused\n")),
    ("one_trace", |_| "\tdial tcp 10.0.0.5:5432: connect: connection refused\n".to_owned()),
    ("one_line", |_| "dial tcp 10.0.0.5:5432: connect: connection refused ".to_owned()),
];
/// Those that a program writes; the others are what a hostile one may.
pub const USUAL: [&str; 4] = ["plain", "json", "failing", "failing_json"];

/// Millions of bytes per second, by kind.
pub fn megabytes() -> Vec<(&'static str, f64)> {
    KINDS.iter().map(|(name, line)| (*name, best(log(*line).as_bytes()))).collect()
}

/// As much of a log as is read of one.
fn log(line: Lines) -> String {
    let mut log = String::with_capacity(MAX_BYTES);
    for n in 0.. {
        let line = line(n);
        if log.len() + line.len() > MAX_BYTES {
            break;
        }
        log.push_str(&line);
    }
    log
}

fn plain(n: usize) -> String {
    format!(
        "2026-01-02T03:04:05.{n:09}Z 2026-01-02 03:04:05.678  INFO 1 --- [nio-8080-exec-{}] c.e.shop.Orders : booked order {n} of customer {} in {} ms\n",
        n % 10,
        n % 977,
        n % 41
    )
}

fn json(n: usize) -> String {
    format!(
        "{{\"level\":\"info\",\"ts\":17673230{:02}.678,\"caller\":\"shop/orders.go:{}\",\"msg\":\"booked an order\",\"order\":{n},\"duration\":{},\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4736\"}}\n",
        n % 60,
        n % 300,
        n % 41
    )
}

/// One line of twenty is an error, and each has a trace.
fn failing(n: usize) -> String {
    if !n.is_multiple_of(20) {
        return plain(n);
    }
    let frames: String = (0..12).map(|f| format!("\tat com.example.shop.Orders.book{f}(Orders.java:{f})\n")).collect();
    format!(
        "2026-01-02 03:04:05.678 ERROR 1 --- [main] c.e.shop.Orders : cannot book\njava.lang.IllegalStateException: order {n}\n{frames}Caused by: java.net.ConnectException: Connection refused\n{frames}"
    )
}

fn failing_json(n: usize) -> String {
    if !n.is_multiple_of(20) {
        return json(n);
    }
    format!(
        "{{\"level\":\"error\",\"msg\":\"cannot book\",\"error\":\"Get \\\"http://orders:8080/{n}\\\": dial tcp 10.0.0.5:8080: connect: connection refused\",\"stack\":\"shop.book\\n\\t/src/orders.go:31\\nshop.main\\n\\t/src/main.go:12\"}}\n"
    )
}

fn best(log: &[u8]) -> f64 {
    let size = u32::try_from(log.len()).map_or(0.0, f64::from);
    let round = || {
        let (start, mut read) = (Instant::now(), 0_u32);
        while start.elapsed() < ROUND {
            black_box(logs::read(black_box(log)));
            read += 1;
        }
        f64::from(read) * size / 1e6 / start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(|_| round()).fold(0.0, f64::max)
}
