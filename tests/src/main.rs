//! The command line under test.

fn main() -> std::process::ExitCode {
    lockage_cli::main()
}
