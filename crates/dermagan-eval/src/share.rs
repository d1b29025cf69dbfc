//! The features of an evaluation in shards: on several machines, or in several nights.

use dermagan_base::stop_requested;
use dermagan_model::ComputeDevice;
use dermagan_shards::{ShardDone, ShardRequest, ShardWriter};

use crate::EvalError;
use crate::item::FAKES;
use crate::report::{
    EvalEvent, EvalJob, Extractors, GeneratedImages, OpenedJob, Sink, fake_items, real_items,
};

/// Computes the features of one shard of the images of an evaluation, and keeps them in a folder of shards. Each image is an
/// item. [`evaluate_joined`](crate::evaluate_joined) compares them when all shards are there.
///
/// # Errors
/// As [`evaluate`](crate::evaluate), and if the folder holds shards of another evaluation.
pub fn evaluate_shard(
    job: &EvalJob,
    fakes: &GeneratedImages,
    device: &ComputeDevice,
    request: &ShardRequest,
    sink: Sink<'_>,
) -> Result<ShardDone, EvalError> {
    let opened = OpenedJob::new(job, fakes, device, sink)?;
    let (real, drawn) = opened.images(fakes);
    let has = |item: u64| request.shard.has(item);
    let real: Vec<(u64, u32)> = (0..).zip(real).filter(|(item, _)| has(*item)).collect();
    let fake: Vec<(u64, usize)> = drawn
        .into_iter()
        .map(|image| (FAKES + image as u64, image))
        .filter(|(item, _)| has(*item))
        .collect();
    let items = (real.len() + fake.len()) as u64;
    let shard_job = opened.shard_job(job, fakes, device);
    let Some(mut writer) = request.begin(&shard_job)? else {
        return Ok(ShardDone { items, was_there: true });
    };
    let extractors = opened.extractors(job, None);
    write_real(&opened, &real, &extractors, &mut writer, sink)?;
    write_fakes(&opened, fakes, &fake, &extractors, &mut writer, sink)?;
    writer.finish()?;
    Ok(ShardDone { items, was_there: false })
}

fn write_real(
    opened: &OpenedJob,
    images: &[(u64, u32)],
    extractors: &Extractors<'_>,
    writer: &mut ShardWriter,
    sink: Sink<'_>,
) -> Result<(), EvalError> {
    let mut done = 0;
    for some in images.chunks(extractors.batch()) {
        go_on()?;
        let indices: Vec<u32> = some.iter().map(|(_, image)| *image).collect();
        let items = real_items(&opened.cache, &indices, extractors, &opened.scope)?;
        for ((number, _), item) in some.iter().zip(items) {
            writer.put(*number, &item.to_bytes()?)?;
        }
        done += some.len();
        sink(EvalEvent::Real { done, total: images.len() });
    }
    Ok(())
}

fn write_fakes(
    opened: &OpenedJob,
    fakes: &GeneratedImages,
    images: &[(u64, usize)],
    extractors: &Extractors<'_>,
    writer: &mut ShardWriter,
    sink: Sink<'_>,
) -> Result<(), EvalError> {
    let mut done = 0;
    for some in images.chunks(fakes.at_a_time(extractors.batch())) {
        go_on()?;
        let indices: Vec<usize> = some.iter().map(|(_, image)| *image).collect();
        let items = fake_items(fakes, &indices, extractors, &opened.scope)?;
        for ((number, _), item) in some.iter().zip(items) {
            writer.put(*number, &item.to_bytes()?)?;
        }
        done += some.len();
        sink(EvalEvent::Fake { done, total: images.len() });
    }
    Ok(())
}

fn go_on() -> Result<(), EvalError> {
    if stop_requested() { Err(EvalError::Stopped) } else { Ok(()) }
}
