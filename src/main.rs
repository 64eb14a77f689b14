//! The command `wrongkey`.

fn main() -> std::process::ExitCode {
    wrongkey::cli::main()
}
