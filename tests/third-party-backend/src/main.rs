//! The program: the command line with this backend and no other.

use lockage_firebird as _;

fn main() -> std::process::ExitCode {
    lockage_cli::main()
}
