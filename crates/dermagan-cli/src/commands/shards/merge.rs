//! `dermagan merge`: joins the shards of a job.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};
use dermagan_shards::Joined;

use crate::args::{Cli, Command, MergeArgs};
use crate::commands::shards::share::Share;
use crate::commands::{data, eval, sample, trust};
use crate::remote;
use crate::show::complain;

/// Finishes the job of a folder of shards; returns the exit code of its command.
pub fn run(args: MergeArgs) -> anyhow::Result<u8> {
    if let Some(out) = args.out.as_deref().filter(|out| out.starts_with(&args.shards)) {
        bail!("--out {}: this is in the folder of the shards; name another place", out.display());
    }
    let joined = Joined::open(&args.shards)?;
    let line = ["dermagan"].into_iter().chain(joined.line().iter().map(String::as_str));
    let line: Vec<&str> = line.chain(args.more.iter().map(String::as_str)).collect();
    complain!("joining {} shards, which are complete: {}", joined.shards(), line.join(" "));
    let mut command = parse(&line)?;
    take_out(&mut command, args.out, &args.shards)?;
    // The recorded words may name URLs.
    let remote = remote::prepare(&mut command)?;
    let code = finish(command, &Share::Joined(Box::new(joined)))?;
    remote.finish()?;
    Ok(code)
}

/// Reads recorded words with those that were added. An option that is given again takes the place of the recorded one.
fn parse(line: &[&str]) -> anyhow::Result<Command> {
    let read = || {
        let found = Cli::command().args_override_self(true).try_get_matches_from(line)?;
        Cli::from_arg_matches(&found)
    };
    // Options that may be given several times are taken together, if no other option is given again.
    let cli = Cli::try_parse_from(line).or_else(|error| match error.kind() {
        ErrorKind::ArgumentConflict => read(),
        _ => Err(error),
    });
    let cli = cli.map_err(|error| {
        let words = error.render().to_string();
        anyhow::anyhow!("{}", words.strip_prefix("error: ").unwrap_or(&words).trim_end())
    })?;
    if shard_of(&cli.command).is_some() {
        bail!("--shard: all shards are joined; leave it out");
    }
    Ok(cli.command)
}

/// The shard that a command asks for.
fn shard_of(command: &Command) -> Option<&String> {
    match command {
        Command::Sample(command) => command.share.shard.as_ref(),
        Command::Prepare(command) => command.share.shard.as_ref(),
        Command::Balance(command) => command.share.shard.as_ref(),
        Command::Eval(command) => command.share.shard.as_ref(),
        Command::Audit(command) => command.share.shard.as_ref(),
        _ => None,
    }
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
        _ => bail!("{}: these are shards of a command that cannot be joined", shards.display()),
    }
    Ok(())
}

/// Runs a command with the items of shards.
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
