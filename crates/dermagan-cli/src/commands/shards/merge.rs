//! `dermagan merge`: joins the shares of a job.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Parser;
use dermagan_shards::Joined;

use crate::args::{Cli, Command, MergeArgs};
use crate::commands::shards::share::Share;
use crate::commands::{data, eval, sample, trust};
use crate::remote;
use crate::show::complain;

/// Finishes the job of a folder of shares; returns the exit code of its command.
pub fn run(args: MergeArgs) -> anyhow::Result<u8> {
    let joined = Joined::open(&args.shards)?;
    let line = ["dermagan"].into_iter().chain(joined.line().iter().map(String::as_str));
    let line: Vec<&str> = line.chain(args.more.iter().map(String::as_str)).collect();
    complain!("joining {} shares, which are whole: {}", joined.shards(), line.join(" "));
    let command = Cli::try_parse_from(&line).map(|cli| cli.command);
    let mut command = command.map_err(|error| anyhow::anyhow!("{}", error.render()))?;
    take_out(&mut command, args.out, &args.shards)?;
    // The recorded words may name URLs.
    let remote = remote::prepare(&mut command)?;
    let code = finish(command, &Share::Joined(Box::new(joined)))?;
    remote.finish()?;
    Ok(code)
}

/// Puts another place for the result into a command that has one.
fn take_out(command: &mut Command, out: Option<PathBuf>, shards: &Path) -> anyhow::Result<()> {
    match (command, out) {
        (Command::Sample(command), Some(out)) => command.out = Some(out),
        (Command::Prepare(command), Some(out)) => command.out = Some(out),
        (Command::Balance(command), Some(out)) => command.out = out,
        (Command::Eval(_) | Command::Audit(_), Some(_)) => {
            bail!("--out: this command prints its result; leave it out, or redirect the output")
        }
        (
            Command::Sample(_)
            | Command::Prepare(_)
            | Command::Balance(_)
            | Command::Eval(_)
            | Command::Audit(_),
            None,
        ) => {}
        _ => bail!("{}: these are shares of a command that cannot be joined", shards.display()),
    }
    Ok(())
}

/// Runs a command with the items of shares.
fn finish(command: Command, share: &Share) -> anyhow::Result<u8> {
    match command {
        Command::Sample(command) => sample::run(command, share),
        Command::Prepare(command) => data::prepare_source(&command, share),
        Command::Balance(command) => trust::balance::run(command, share),
        Command::Eval(command) => eval::run(command, share),
        Command::Audit(command) => trust::audit::run(command, share),
        _ => bail!("this command cannot be joined"),
    }
}
