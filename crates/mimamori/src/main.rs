//! See the library of this package.

/// Rust's, and by its feature `override` SQLite's too: with the C library's, a quarter of the
/// processor time of an audited read went into memory (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    mimamori::cli::main()
}
