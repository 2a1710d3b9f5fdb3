//! How long a thousand pods in a file take, by its format: `cargo bench --bench diagnose`.

#[path = "../bench/diagnose.rs"]
mod diagnose;

fn main() -> anyhow::Result<()> {
    for (format, seconds) in diagnose::seconds()? {
        println!("{:>7.0} ms  {format}", seconds * 1000.0);
    }
    Ok(())
}
