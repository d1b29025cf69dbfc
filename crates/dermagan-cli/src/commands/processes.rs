//! The processes that train one run together: who started them, and whether they are connected.

use std::sync::Arc;

use dermagan_train::{Alone, Group, TrainConfig};

#[cfg(feature = "mpi")]
use crate::show::complain;
use crate::show::say;

/// Variables in which a launcher says how many processes it started: Open MPI's `mpirun`, MPICH's, and Slurm's `srun`.
const COUNTS: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];
/// Variables that only a launcher of MPI sets.
#[cfg(feature = "mpi")]
const MPI: [&str; 4] = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"];
/// The variable of Open MPI's `mpirun` for the seconds between asking its processes to end and killing them.
#[cfg(feature = "mpi")]
const PATIENCE: &str = "OMPI_MCA_odls_base_sigkill_timeout";

/// The processes that this one trains with.
pub struct Processes {
    group: Arc<dyn Group>,
    /// The job, which ends when this is dropped.
    #[cfg(feature = "mpi")]
    _job: Option<dermagan_mpi::Job>,
}

impl Processes {
    /// Joins the processes that a launcher started with this one. Without a launcher, or without the feature `mpi`, it is
    /// alone.
    #[cfg(feature = "mpi")]
    pub fn join() -> anyhow::Result<Self> {
        if MPI.iter().all(|name| std::env::var_os(name).is_none()) {
            return Ok(Self { group: Arc::new(Alone), _job: None });
        }
        let job = dermagan_mpi::Job::join()?;
        Ok(Self { group: job.group(), _job: Some(job) })
    }

    /// Without the feature `mpi`, a process is alone.
    #[cfg(not(feature = "mpi"))]
    pub fn join() -> anyhow::Result<Self> {
        Ok(Self { group: Arc::new(Alone) })
    }

    /// The group of the processes.
    pub fn group(&self) -> &Arc<dyn Group> {
        &self.group
    }

    /// Whether this process leads: it alone prints and writes the run.
    pub fn leads(&self) -> bool {
        self.group.rank() == 0
    }

    /// Checks that processes which a launcher started for one run of this configuration are connected. Otherwise each would
    /// train the whole run alone.
    pub fn check(&self, config: &TrainConfig) -> anyhow::Result<()> {
        let started =
            COUNTS.iter().find_map(|name| std::env::var(name).ok()?.parse::<usize>().ok());
        let started = started.unwrap_or(1);
        if config.shards == 1 || self.group.size() > 1 || started < 2 {
            return Ok(());
        }
        let next = match cfg!(feature = "mpi") {
            true => {
                "start them by the mpirun of the MPI library that this program was built with, or by srun --mpi=pmix"
            }
            false => "build the program with --features mpi",
        };
        anyhow::bail!(
            "{started} processes were started, and they are not connected, so each would train the run alone: {next}"
        )
    }

    /// Prints how the processes share a step.
    pub fn describe(&self, config: &TrainConfig) {
        let (size, shards) = (self.group.size(), config.shards);
        if shards == 1 {
            return;
        }
        if size == 1 {
            say!("a step in {shards} shards, in one process");
            return;
        }
        say!(
            "a step in {shards} shards over {size} processes, each with the threads of RAYON_NUM_THREADS or of its cores"
        );
        #[cfg(feature = "mpi")]
        if std::env::var_os(COUNTS[0]).is_some() && std::env::var_os(PATIENCE).is_none() {
            complain!(
                "note: mpirun kills its processes 1 s after Ctrl-C, which may be too soon for a checkpoint; start it with \
                 --mca odls_base_sigkill_timeout 20"
            );
        }
    }
}
