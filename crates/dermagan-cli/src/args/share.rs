//! Options of commands that can be divided into shards, and of `merge`.

use std::path::PathBuf;

use clap::Args;

/// Options of commands that can be divided into shards.
#[derive(Args, Debug)]
pub struct ShareArgs {
    /// Compute one shard of the work, such as 2/8, and keep it in --shards; `dermagan merge` finishes the job when all shards
    /// are there. On a cluster auto/8 takes the number from the task, counted from 0: SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX
    /// or OMPI_COMM_WORLD_RANK. For a whole Slurm array, or mpirun, auto is enough. A complete shard is not computed again.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// Folder of the shards [default: COMMAND.shards, such as sample.shards].
    #[arg(long, value_name = "FOLDER", requires = "shard")]
    pub shards: Option<PathBuf>,
}

/// Options of `merge`.
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// Folder of shards that `sample`, `balance`, `prepare`, `eval` or `audit` wrote with --shard.
    #[arg(value_name = "FOLDER")]
    pub shards: PathBuf,
    /// Where the result goes, for commands with --out [default: as recorded, relative to the current folder].
    #[arg(long, value_name = "DIR|FILE")]
    pub out: Option<PathBuf>,
    /// More options of the command, after --, such as -- --format parquet or -- --json. They take the place of recorded ones.
    #[arg(last = true, value_name = "OPTIONS")]
    pub more: Vec<String>,
}
