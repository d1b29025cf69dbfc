//! Options of commands that can be divided into shards, and of `merge`.

use std::path::PathBuf;

use clap::Args;

/// Options of commands that can be divided into shards.
#[derive(Args, Debug)]
pub struct ShareArgs {
    /// Compute one share of the work, such as 2/8, and keep it in --shards; `dermagan merge` finishes the job when all shares
    /// are there. On a cluster auto/8 takes the number from the task: SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX or
    /// OMPI_COMM_WORLD_RANK; for Slurm and Open MPI, auto is enough. A share that is complete is not computed again.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// Folder of the shares [default: COMMAND.shards, such as sample.shards].
    #[arg(long, value_name = "FOLDER", requires = "shard")]
    pub shards: Option<PathBuf>,
}

/// Options of `merge`.
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// Folder of shares that `sample`, `balance`, `prepare`, `eval` or `audit` wrote with --shard.
    #[arg(value_name = "FOLDER")]
    pub shards: PathBuf,
    /// Where the result goes, for commands with --out [default: as in the command that made the shares].
    #[arg(long, value_name = "DIR|FILE")]
    pub out: Option<PathBuf>,
    /// More options of the command, after --, such as -- --format parquet or -- --json.
    #[arg(last = true, value_name = "OPTIONS")]
    pub more: Vec<String>,
}
