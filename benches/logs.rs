//! How fast logs are read on one core, by what they are like: `cargo bench --bench logs`.

#[path = "../bench/logs.rs"]
mod logs;

fn main() {
    for (name, megabytes) in logs::megabytes() {
        let usual = if logs::USUAL.contains(&name) { "" } else { " (hostile)" };
        println!("{megabytes:>7.0} MB/s  {name}{usual}");
    }
}
