//! See the library of this package.

/// Rust's, and by its feature `override` SQLite's too: with the C library's, a quarter of the
/// processor time of an audited read went into memory (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // Huge pages, which the allocator does not ask for (`no_thp`) and some systems give unasked, cost
    // 25 MB of resident memory and saved no time that could be measured. Without this it only needs more.
    let _as_the_system_does = rustix::thread::disable_transparent_huge_pages(true);
    mimamori::cli::main()
}
