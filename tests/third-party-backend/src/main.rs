//! The command line of Lockage with this backend only.

use lockage_firebird as _;

fn main() -> std::process::ExitCode {
    lockage_cli::main()
}
