//! Whether a call computes all items of a job, those of one shard, or takes them from the shards of earlier calls.

use std::ffi::OsString;
use std::path::PathBuf;

use dermagan_shards::{Joined, Shard, ShardDone, ShardRequest};

use crate::args::ShareArgs;
use crate::show::{self, say};

/// The items of a job that a call computes.
pub enum Share {
    /// All.
    All,
    /// Those of one shard.
    One(ShardRequest),
    /// None: they come from shards.
    Joined(Box<Joined>),
}

impl Share {
    /// The share that a command line asks for. `line` are its words, the program first.
    pub fn of(args: &ShareArgs, command: &str, line: &[OsString]) -> anyhow::Result<Self> {
        let Some(shard) = &args.shard else { return Ok(Self::All) };
        let shard = Shard::parse(shard, &|name| std::env::var(name).ok())?;
        let usual = || PathBuf::from(format!("{command}.shards"));
        let folder = args.shards.clone().unwrap_or_else(usual);
        Ok(Self::One(ShardRequest { shard, folder, line: without_share(line)? }))
    }

    /// The shards that are joined.
    pub fn joined(&self) -> Option<&Joined> {
        match self {
            Self::Joined(joined) => Some(joined),
            _ => None,
        }
    }
}

/// The words of a command line without the program and without the choice of the shard.
fn without_share(line: &[OsString]) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut line = line.iter().skip(1);
    while let Some(word) = line.next() {
        let Some(text) = word.to_str() else {
            anyhow::bail!("--shard: {} is not UTF-8; rename it", word.display());
        };
        match text.split_once('=').map_or(text, |(flag, _)| flag) {
            flag @ ("--shard" | "--shards") => {
                if flag == text {
                    line.next();
                }
            }
            _ => words.push(text.to_owned()),
        }
    }
    Ok(words)
}

/// Says what a call for one shard did. `what` are its items, such as `images`.
pub fn said(request: &ShardRequest, done: ShardDone, what: &str) {
    let ShardRequest { shard, folder, .. } = request;
    let (items, folder) = (done.items, show::quoted(folder));
    match done.was_there {
        true => say!("shard {shard} was there already: {items} {what} in {folder}"),
        false => say!("shard {shard}: {items} {what} in {folder}"),
    }
    say!("when all {} are there: dermagan merge {folder}", shard.of);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_words_do_not_choose_a_shard() {
        let line =
            ["dermagan", "sample", "--shard", "1/2", "-n", "8", "--shards=x", "--out=--shard"];
        let line: Vec<OsString> = line.iter().map(OsString::from).collect();
        assert_eq!(without_share(&line).unwrap(), ["sample", "-n", "8", "--out=--shard"]);
    }
}
