//! The `dermagan` program.

fn main() {
    dermagan_cli::run(std::env::args_os().collect())
}
