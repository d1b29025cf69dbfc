//! A share of the items of a job.

use std::fmt;

use dermagan_base::SettingError;

/// The largest number of shards of a job.
const MOST: usize = 10_000;

/// A share of the items of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the share, from 0.
    pub index: usize,
    /// The number of shares.
    pub of: usize,
}

impl Shard {
    /// Reads `I/N` with I from 1 to N, or `auto` or `auto/N` for the number that the scheduler gives this task. `variable` gives
    /// the value of an environment variable: `SLURM_ARRAY_TASK_ID` of a Slurm array, `JOB_COMPLETION_INDEX` of an indexed
    /// Kubernetes job, `OMPI_COMM_WORLD_RANK` of Open MPI.
    ///
    /// `auto` is for a whole array, whose smallest index may be 1. `auto/N` takes the number of the task as it is, counted from 0,
    /// so that a part of an array can be submitted again: task 3 computes shard 4 of N, whichever tasks there are beside it.
    ///
    /// # Errors
    /// Names what was expected.
    pub fn parse(
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingError> {
        let bad = |problem: &str| SettingError::value("shard", text, problem);
        let usual = || {
            bad(
                "expected I/N with I from 1 to N, such as 2/8, or auto/N on a cluster; at most 10000 shards",
            )
        };
        let trimmed = text.trim();
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| usual());
        let (index, of) = match trimmed.split_once('/') {
            Some(("auto", of)) => {
                let (task, of) = (task(variable).map_err(|what| bad(&what))?, number(of)?);
                if task.processes.is_some_and(|processes| processes != of) {
                    return Err(bad("there is another number of MPI processes; type auto"));
                }
                (task.own, of)
            }
            None if trimmed == "auto" => {
                let task = task(variable).map_err(|what| bad(&what))?;
                let of = task.count.or(task.processes).ok_or_else(|| {
                    bad("the scheduler does not say how many tasks there are: type auto/N")
                })?;
                let index = task.own.checked_sub(task.first).filter(|index| *index < of);
                (index.ok_or_else(|| bad("the array has gaps: use 0 to N-1 and type auto/N"))?, of)
            }
            Some((index, of)) => (number(index)?.checked_sub(1).ok_or_else(usual)?, number(of)?),
            None => return Err(usual()),
        };
        match (1..=MOST).contains(&of) && index < of {
            true => Ok(Self { index, of }),
            false if trimmed.starts_with("auto") => Err(bad(&format!(
                "this is task {index}, counted from 0; expected 0 to {} and at most 10000 tasks",
                of.saturating_sub(1)
            ))),
            false => Err(usual()),
        }
    }

    /// Whether an item is in this share.
    pub fn has(self, item: u64) -> bool {
        item % self.of as u64 == self.index as u64
    }

    /// The beginning of the names of its files, such as `0002-of-0008`.
    pub(crate) fn stem(self) -> String {
        format!("{:04}-of-{:04}", self.index + 1, self.of)
    }

    /// The shard of a file name without ending.
    pub(crate) fn of_stem(stem: &str) -> Option<Self> {
        let (number, of) = stem.split_once("-of-")?;
        let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
        let shard = Self { index: number.checked_sub(1)?, of };
        (shard.index < of && of <= MOST && shard.stem() == stem).then_some(shard)
    }
}

/// `I/N`, with I from 1.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

/// What a scheduler tells a task.
struct Task {
    /// Its number.
    own: usize,
    /// The smallest number of a Slurm array, and how many tasks this submission has.
    first: usize,
    count: Option<usize>,
    /// The number of MPI processes.
    processes: Option<usize>,
}

/// This task, by the variables of Slurm, Kubernetes or Open MPI, in this order. Kubernetes does not say how many tasks there are.
fn task(variable: &dyn Fn(&str) -> Option<String>) -> Result<Task, String> {
    let number = |name: &str| -> Result<Option<usize>, String> {
        let Some(text) = variable(name) else { return Ok(None) };
        match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!("{name} is {text:?}, expected a number")),
        }
    };
    if let Some(own) = number("SLURM_ARRAY_TASK_ID")? {
        let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
        return Ok(Task { own, first, count: number("SLURM_ARRAY_TASK_COUNT")?, processes: None });
    }
    if let Some(own) = number("JOB_COMPLETION_INDEX")? {
        return Ok(Task { own, first: 0, count: None, processes: None });
    }
    if let Some(own) = number("OMPI_COMM_WORLD_RANK")? {
        let processes = number("OMPI_COMM_WORLD_SIZE")?;
        return Ok(Task { own, first: 0, count: None, processes });
    }
    Err("no scheduler: none of SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX and OMPI_COMM_WORLD_RANK is set".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Shard, SettingError> {
        Shard::parse(text, &|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn shards_divide_the_items() {
        let shards: Vec<Shard> = (1..=3).map(|i| parse(&format!("{i}/3"), &[]).unwrap()).collect();
        for item in 0..30 {
            assert_eq!(shards.iter().filter(|shard| shard.has(item)).count(), 1);
        }
        for bad in ["0/3", "4/3", "1", "1/0", "a/b", "1/10001", "", "auto", "auto/3"] {
            assert!(parse(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_scheduler_numbers_the_shards() {
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "7"),
            ("SLURM_ARRAY_TASK_MIN", "5"),
            ("SLURM_ARRAY_TASK_COUNT", "4"),
        ];
        assert_eq!(parse("auto", &slurm).unwrap(), Shard { index: 2, of: 4 });
        // Tasks 3 and 7 of eight are submitted again: they compute what they computed in the whole array.
        assert_eq!(parse("auto/8", &slurm).unwrap(), Shard { index: 7, of: 8 });
        assert!(parse("auto/7", &slurm).is_err());
        let again = |own: &'static str| {
            [
                ("SLURM_ARRAY_TASK_ID", own),
                ("SLURM_ARRAY_TASK_MIN", "3"),
                ("SLURM_ARRAY_TASK_COUNT", "2"),
            ]
        };
        assert_eq!(parse("auto/8", &again("3")).unwrap(), Shard { index: 3, of: 8 });
        assert!(parse("auto", &again("7")).is_err());
        let kubernetes = [("JOB_COMPLETION_INDEX", "3")];
        assert_eq!(parse("auto/4", &kubernetes).unwrap(), Shard { index: 3, of: 4 });
        assert!(parse("auto", &kubernetes).is_err());
        assert!(parse("auto/3", &kubernetes).is_err());
        let mpi = [("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "2")];
        assert_eq!(parse("auto", &mpi).unwrap(), Shard { index: 0, of: 2 });
        assert!(parse("auto/8", &mpi).is_err());
        assert!(parse("auto", &[("OMPI_COMM_WORLD_RANK", "x")]).is_err());
    }

    #[test]
    fn the_names_of_files_lead_back_to_the_shard() {
        let shard = Shard { index: 1, of: 8 };
        assert_eq!(shard.stem(), "0002-of-0008");
        assert_eq!(Shard::of_stem("0002-of-0008"), Some(shard));
        for other in ["2-of-8", "0000-of-0008", "0009-of-0008", "0001-of-99999", "x", "0002-of-"] {
            assert_eq!(Shard::of_stem(other), None, "{other}");
        }
    }
}
