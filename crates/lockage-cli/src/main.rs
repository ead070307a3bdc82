//! The program `lockage`.

fn main() -> std::process::ExitCode {
    lockage_cli::main()
}
