//! How long one decision about a hundred pods takes, by what they do: `cargo bench --bench decide`.

#[path = "../bench/decide.rs"]
mod decide;

fn main() -> anyhow::Result<()> {
    for (name, micros) in decide::micros()? {
        println!("{micros:>7.2} µs  {name}");
    }
    Ok(())
}
