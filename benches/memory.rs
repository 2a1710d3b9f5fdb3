//! Resident memory of the stores: `cargo bench --bench memory [-- PODS...]`, by default at 1,000, 10,000 and 100,000.

#[path = "../bench/stores.rs"]
mod stores;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if arguments.iter().any(|argument| argument == stores::ONE) {
        return sizes.into_iter().try_for_each(stores::measure_one);
    }
    if sizes.is_empty() {
        sizes.extend(stores::SIZES);
    }
    stores::measure(&sizes)?.iter().for_each(|size| println!("{size}"));
    Ok(())
}
