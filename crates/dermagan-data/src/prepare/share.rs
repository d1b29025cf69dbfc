//! A cache that is prepared in shards: on several machines, or in several nights.

use std::path::Path;

use dermagan_shards::{Job, Joined, ShardDone, ShardRequest, pack, unpack};

use crate::error::DataError;
use crate::prepare::build_cache::{PreparedCache, check, prepare_by, refuse_problems};
use crate::prepare::cache::{Options, pixel_hash};
use crate::prepare::examine::{Looked, Progress, look_at};
use crate::source::open::Source;
use crate::source::problem::{Problem, Report};

/// Prepares the images of one shard of a source, and keeps them in a folder of shards. Each image is an item whose number is
/// the index of its record.
///
/// # Errors
/// As [`prepare`](fn@crate::prepare), and if the folder holds shards of another job. With `strict` a shard with a problem is
/// not kept.
pub fn prepare_shard(
    source: &Source,
    options: Options,
    strict: bool,
    request: &ShardRequest,
    progress: Progress<'_>,
) -> Result<ShardDone, DataError> {
    check(source, options)?;
    let has = |index: &usize| request.shard.has(*index as u64);
    let wanted: Vec<usize> = (0..source.records.len()).filter(has).collect();
    let (items, total) = (wanted.len() as u64, wanted.len());
    let Some(mut writer) = request.begin(&job(source, options))? else {
        return Ok(ShardDone { items, was_there: true });
    };
    let (mut done, mut kept, mut problems) = (0, 0, source.problems.clone());
    look_at(source, options, &wanted, &mut |looked| {
        if dermagan_base::stop_requested() {
            return Err(DataError::Stopped);
        }
        let pixels = looked.pixels.map(|(pixels, _)| pixels).unwrap_or_default();
        writer.put(wanted[done] as u64, &pack(&looked.problems, &pixels)?)?;
        kept += usize::from(!pixels.is_empty());
        problems.extend(looked.problems);
        done += 1;
        progress(done, total);
        Ok(())
    })?;
    refuse_problems(&Report::new(kept, &problems), strict)?;
    writer.finish()?;
    Ok(ShardDone { items, was_there: false })
}

/// As [`prepare`](fn@crate::prepare), with the images of shards ([`prepare_shard`]) of the same source. The cache is the same,
/// byte for byte.
///
/// # Errors
/// As [`prepare`](fn@crate::prepare), and if the shards are of another job.
pub fn prepare_joined(
    source: &Source,
    options: Options,
    target: &Path,
    strict: bool,
    joined: &Joined,
    progress: Progress<'_>,
) -> Result<PreparedCache, DataError> {
    joined.check(&job(source, options))?;
    let look = |give: &mut dyn FnMut(Looked) -> Result<(), DataError>| {
        (0..source.records.len() as u64).try_for_each(|item| {
            let looked = of_bytes(&joined.require(item)?, options);
            give(looked.ok_or_else(|| joined.damaged(item))?)
        })
    };
    prepare_by(source, options, target, strict, look, progress)
}

/// What the bytes of the images depend on.
fn job(source: &Source, options: Options) -> Job {
    let settings = format!("{} {options:?} {:?}", source.fingerprint, source.reading);
    Job::new("prepare", &settings, "any machine")
}

/// What an item says; `None` if it has other pixels than a square of this size.
fn of_bytes(bytes: &[u8], options: Options) -> Option<Looked> {
    let (problems, pixels): (Vec<Problem>, _) = unpack(bytes)?;
    let whole = pixels.len() as u64 == u64::from(options.size).pow(2) * 3;
    match pixels {
        [] if problems.is_empty() => None,
        [] => Some(Looked { pixels: None, problems }),
        pixels => {
            whole.then(|| Looked { pixels: Some((pixels.to_vec(), pixel_hash(pixels))), problems })
        }
    }
}
