//! Arguments → telemetry → library. The only place with exit codes.

use std::process::ExitCode;

use backstay::cli;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // kube and the exporter bring TLS of their own; with one provider installed they agree on it.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("backstay: a TLS provider is installed already");
        return ExitCode::from(2);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("backstay: cannot start the runtime: {error}");
            return ExitCode::from(2);
        }
    };
    runtime.block_on(cli::main())
}
