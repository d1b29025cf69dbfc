//! Which arguments of which command name a place, and what the command does with it.

use std::path::{Path, PathBuf};

use crate::args::{Command, DataCommand, EncoderCommand, ShareArgs};

/// What a command does with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads everything that is there.
    Input,
    /// Reads a generator: of a run only the files that this needs.
    Model,
    /// Writes a file or a folder.
    Output,
    /// Writes runs into this folder.
    Runs,
    /// Goes on with this run.
    Resume,
    /// Keeps a state there that it reads and writes again and again, or a secret: it must be on this machine.
    Local,
}

/// An argument that may hold a place.
#[cfg_attr(
    not(feature = "cloud"),
    allow(dead_code, reason = "without stores a URL is only refused")
)]
pub trait Slot {
    /// Its text; `None` if it is not given.
    fn text(&self) -> Option<String>;
    /// Puts a local path in its place.
    fn set(&mut self, path: &Path);
}

impl Slot for PathBuf {
    fn text(&self) -> Option<String> {
        self.to_str().map(str::to_owned)
    }

    fn set(&mut self, path: &Path) {
        *self = path.to_owned();
    }
}

impl Slot for String {
    fn text(&self) -> Option<String> {
        Some(self.clone())
    }

    fn set(&mut self, path: &Path) {
        *self = path.display().to_string();
    }
}

impl<T: Slot + Default> Slot for Option<T> {
    fn text(&self) -> Option<String> {
        self.as_ref().and_then(T::text)
    }

    fn set(&mut self, path: &Path) {
        self.insert(T::default()).set(path);
    }
}

/// Receives the name of an argument, its role and its value.
type See<'a> = &'a mut dyn FnMut(&'static str, Role, &mut dyn Slot) -> anyhow::Result<()>;

/// Calls `see` for every argument of a command that names a place.
pub fn each(command: &mut Command, see: See) -> anyhow::Result<()> {
    use Role::{Input, Local, Model, Output, Resume, Runs};
    match command {
        Command::Prepare(args) => {
            see("SOURCE", Input, &mut args.source)?;
            see("--shards", Local, &mut args.share.shards)?;
            see_out(&args.share, &mut args.out, see)
        }
        Command::Merge(args) => {
            see("FOLDER", Local, &mut args.shards)?;
            see("--out", Output, &mut args.out)
        }
        Command::Data(DataCommand::Info(args)) => {
            see("SOURCE", Input, &mut args.source)?;
            see("--grid", Output, &mut args.grid)
        }
        Command::Data(DataCommand::Export(args)) => {
            see("SOURCE", Input, &mut args.source)?;
            see("--out", Output, &mut args.out)
        }
        Command::Train(args) => {
            see("--resume", Resume, &mut args.resume)?;
            see("--data", Input, &mut args.data)?;
            see("--init", Input, &mut args.init)?;
            see("--preset", Input, &mut args.preset)?;
            see("--outdir", Runs, &mut args.outdir)
        }
        Command::Sample(args) => {
            see("MODEL", Model, &mut args.model)?;
            see("--outdir", Local, &mut args.outdir)?;
            see("--shards", Local, &mut args.share.shards)?;
            see_out(&args.share, &mut args.out, see)
        }
        Command::Export(args) => {
            see("MODEL", Model, &mut args.model)?;
            see("--outdir", Local, &mut args.outdir)?;
            see("--torch", Output, &mut args.torch)?;
            see("--hub", Output, &mut args.hub)?;
            see("--out", Output, &mut args.out)
        }
        Command::Demo(args) => {
            see("MODEL", Model, &mut args.model)?;
            see("--against", Model, &mut args.against)?;
            see("--out", Output, &mut args.out)?;
            see("--runtime", Local, &mut args.runtime)?;
            see("--outdir", Local, &mut args.outdir)
        }
        Command::Info(args) => {
            see("RUN", Input, &mut args.path)?;
            see("--outdir", Local, &mut args.outdir)
        }
        Command::Doctor(args) => see("--preset", Input, &mut args.preset),
        Command::Bench(args) => see("--preset", Input, &mut args.preset),
        Command::Encoder(EncoderCommand::Train(args)) => {
            see("--data", Input, &mut args.data)?;
            see("--out", Output, &mut args.out)
        }
        Command::Eval(_)
        | Command::Audit(_)
        | Command::Balance(_)
        | Command::Bias(_)
        | Command::Trial(_)
        | Command::Report(_) => each_of_judges(command, see),
        #[cfg(feature = "c2pa")]
        Command::Sign(args) => {
            see("FOLDER", Local, &mut args.folder)?;
            see("--certificates", Local, &mut args.certificates)?;
            see("--key", Local, &mut args.key)
        }
        Command::Devices | Command::Completions { .. } => Ok(()),
    }
}

/// Sees `--out` of a command that may compute one share of its job: such a call does not write there.
fn see_out(share: &ShareArgs, out: &mut dyn Slot, see: See) -> anyhow::Result<()> {
    if share.shard.is_some() { Ok(()) } else { see("--out", Role::Output, out) }
}

/// The same of the commands that judge images.
fn each_of_judges(command: &mut Command, see: See) -> anyhow::Result<()> {
    use Role::{Input, Local, Model, Output};
    match command {
        Command::Eval(args) => {
            see("--real", Input, &mut args.real)?;
            see("--fake", Model, &mut args.fake)?;
            see("--outdir", Local, &mut args.outdir)?;
            see("--weights", Input, &mut args.weights)?;
            see("--save-features", Output, &mut args.save_features)?;
            see("--nearest", Output, &mut args.nearest)?;
            see("--worst", Output, &mut args.worst)?;
            see("--shards", Local, &mut args.share.shards)
        }
        Command::Audit(args) => {
            see("--real", Input, &mut args.real)?;
            see("--fake", Model, &mut args.fake)?;
            see("--outdir", Local, &mut args.outdir)?;
            see("--twins", Input, &mut args.twins)?;
            see("--state", Local, &mut args.state)?;
            see("--discriminator", Input, &mut args.discriminator)?;
            see("--sheet", Output, &mut args.sheet)?;
            see("--drop", Output, &mut args.drop)?;
            see("--shards", Local, &mut args.share.shards)
        }
        Command::Balance(args) => {
            see("--data", Input, &mut args.data)?;
            see("--model", Model, &mut args.model)?;
            see("--audit", Input, &mut args.audit)?;
            see("--shards", Local, &mut args.share.shards)?;
            see_out(&args.share, &mut args.out, see)
        }
        Command::Bias(args) => {
            see("--real", Input, &mut args.real)?;
            see("--fake", Model, &mut args.fake)?;
            see("--outdir", Local, &mut args.outdir)
        }
        Command::Trial(args) => {
            see("--data", Input, &mut args.data)?;
            see("--model", Model, &mut args.model)?;
            see("--preset", Input, &mut args.preset)?;
            see("--state", Local, &mut args.state)
        }
        Command::Report(args) => {
            see("RUN", Input, &mut args.fake)?;
            see("--outdir", Local, &mut args.outdir)?;
            see("--real", Input, &mut args.real)?;
            see("--trial", Input, &mut args.trial)?;
            see("--twins", Input, &mut args.twins)?;
            see("--medigan", Output, &mut args.medigan)?;
            see("--out", Output, &mut args.out)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::args::Cli;

    /// A command line of each command with the arguments that it needs.
    const LINES: [&[&str]; 19] = [
        &["prepare", "x"],
        &["data", "info", "x"],
        &["data", "export", "x", "--out", "x.zip"],
        &["train"],
        &["sample"],
        &["export"],
        &["info", "x"],
        &["merge", "x"],
        &["demo"],
        &["devices"],
        &["doctor"],
        &["eval", "--real", "x", "--fake", "x"],
        &["audit", "--real", "x", "--fake", "x"],
        &["balance", "--data", "x", "--out", "x"],
        &["bias", "--real", "x", "--fake", "x"],
        &["trial", "--data", "x"],
        &["report", "x", "--out", "x.html"],
        &["encoder", "train", "--data", "x"],
        &["bench"],
    ];

    /// The words by which the help says that a value is a place.
    const PLACES: [&str; 12] = [
        "SOURCE",
        "CACHE",
        "MODEL",
        "RUN",
        "CHECKPOINT",
        "FOLDER",
        "FILE",
        "DIR",
        "ZIP",
        "NPZ",
        "PATH",
        "PRESET",
    ];

    #[test]
    fn every_argument_that_the_help_calls_a_place_is_seen() {
        let mut cli = Cli::command();
        cli.build();
        let mut seen_commands = BTreeSet::new();
        for line in LINES {
            let typed = std::iter::once("dermagan").chain(line.iter().copied());
            let mut command = Cli::try_parse_from(typed).unwrap().command;
            let mut seen = BTreeSet::new();
            each(&mut command, &mut |name, _, _| {
                seen.insert(name.to_owned());
                Ok(())
            })
            .unwrap();
            let mut parser = &cli;
            for word in line.iter().take_while(|word| parser.find_subcommand(word).is_some()) {
                parser = parser.find_subcommand(word).unwrap();
                seen_commands.insert(parser.get_name().to_owned());
            }
            for argument in parser.get_arguments() {
                let value = argument.get_value_names().unwrap_or_default().join("|");
                let is_place = value.split(['|', '.']).any(|word| PLACES.contains(&word));
                let name = match argument.get_long() {
                    Some(long) => format!("--{long}"),
                    None => argument.get_value_names().unwrap()[0].to_string(),
                };
                let known = seen.contains(&name) || seen.contains(name.split('|').next().unwrap());
                assert!(!is_place || known || name == "RUN", "{line:?}: {name} {value}");
            }
        }
        let all: BTreeSet<String> =
            cli.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let unseen: Vec<&String> = all
            .difference(&seen_commands)
            .filter(|name| !["help", "completions", "sign"].contains(&name.as_str()))
            .collect();
        assert!(unseen.is_empty(), "{unseen:?} have no line here");
    }
}
