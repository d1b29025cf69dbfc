//! `dermagan completions`.

use clap::CommandFactory;

use crate::args::Cli;
use crate::show;

/// Prints a completion script.
pub fn run(shell: clap_complete::Shell) -> anyhow::Result<u8> {
    // To memory first: clap_complete panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dermagan", &mut script);
    show::print(&String::from_utf8_lossy(&script));
    Ok(0)
}
