//! `dermagan merge`: joins the shares of a job.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Parser;
use dermagan_shards::Joined;

use crate::args::{Cli, Command, MergeArgs};
use crate::commands::share::Share;
use crate::commands::{data, eval, sample, trust};
use crate::show::complain;

/// Finishes the job of a folder of shares; returns the exit code of its command.
pub fn run(args: MergeArgs) -> anyhow::Result<u8> {
    let joined = Joined::open(&args.shards)?;
    let line = ["dermagan"].into_iter().chain(joined.line().iter().map(String::as_str));
    let line: Vec<&str> = line.chain(args.more.iter().map(String::as_str)).collect();
    complain!("joining {} shares, which are whole: {}", joined.shards(), line.join(" "));
    let command = Cli::try_parse_from(&line).map(|cli| cli.command);
    let command = command.map_err(|error| anyhow::anyhow!("{}", error.render()))?;
    let share = Share::Joined(Box::new(joined));
    match command {
        Command::Sample(mut command) => {
            command.out = args.out.or(command.out);
            sample::run(command, &share)
        }
        Command::Prepare(mut command) => {
            command.out = args.out.or(command.out);
            data::prepare_source(&command, &share)
        }
        Command::Balance(mut command) => {
            command.out = args.out.unwrap_or(command.out);
            trust::balance::run(command, &share)
        }
        Command::Eval(command) => {
            no_out(&args.out)?;
            eval::run(command, &share)
        }
        Command::Audit(command) => {
            no_out(&args.out)?;
            trust::audit::run(command, &share)
        }
        _ => anyhow::bail!(
            "{}: these are shares of a command that cannot be joined",
            args.shards.display()
        ),
    }
}

/// Refuses `--out` for a command that prints its result.
fn no_out(out: &Option<PathBuf>) -> anyhow::Result<()> {
    ensure!(
        out.is_none(),
        "--out: this command prints its result; leave it out, or redirect the output"
    );
    Ok(())
}
