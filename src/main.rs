//! The command `wrongkey`.

/// A campaign allocates small things on many threads, and frees them where they were not made: the C library's allocator took
/// two fifths of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wrongkey::cli::main()
}
