//! The searches and features of an audit in shards: on several machines, or in several nights.

use dermagan_base::image::Image;
use dermagan_base::stop_requested;
use dermagan_eval::{
    EvalError, EvalEvent, Extractor, GeneratedImages, ImagenetEncoder, LesionEncoder, Sink,
};
use dermagan_model::ComputeDevice;
use dermagan_shards::{ShardDone, ShardRequest, ShardWriter, pack_floats};

use crate::audit::fakes::chosen;
use crate::audit::item::{FAKES, Head};
use crate::audit::job::{AuditJob, features_of_real, opened, shard_job};
use crate::copies::search::CopySearch;
use crate::error::TrustError;

/// Images that are read at a time.
const AT_ONCE: usize = 256;

/// Computes what an audit needs of one shard of its images, and keeps it in a folder of shards: features, and the closest
/// training image. Each image, real or generated, is an item. [`audit_joined`](crate::audit_joined) gives the verdict when all
/// shards are there.
///
/// # Errors
/// As [`audit`](fn@crate::audit), and if the folder holds shards of another audit.
pub fn audit_shard(
    job: &AuditJob,
    fakes: &GeneratedImages,
    device: &ComputeDevice,
    request: &ShardRequest,
    sink: Sink<'_>,
) -> Result<ShardDone, TrustError> {
    let reals = opened(job, fakes, sink)?;
    let has = |item: u64| request.shard.has(item);
    let real = |images: &[u32]| -> Vec<u32> {
        images.iter().copied().filter(|image| has(u64::from(*image))).collect()
    };
    let (train, held) = (real(&reals.train), real(&reals.held));
    let fake: Vec<usize> = chosen(fakes, reals.classes(), job.number)
        .into_iter()
        .filter(|image| has(FAKES + *image as u64))
        .collect();
    let items = (train.len() + held.len() + fake.len()) as u64;
    let Some(mut writer) = request.begin(&shard_job(job, &reals, fakes, device))? else {
        return Ok(ShardDone { items, was_there: true });
    };
    let search = CopySearch::new(&reals.cache, &reals.train, &reals.lesion);
    let encoder = ImagenetEncoder::shipped()?;
    let lesion = LesionEncoder::shipped(&device.handle)?;
    let features = features_of_real(&reals, &train, &encoder, &lesion, sink)?;
    for (image, features) in train.iter().zip(features.chunks_exact(ImagenetEncoder::DIMS)) {
        writer.put(u64::from(*image), &pack_floats(&Head::default(), features)?)?;
    }
    let features = features_of_real(&reals, &held, &encoder, &lesion, sink)?;
    let mut rows = features.chunks_exact(ImagenetEncoder::DIMS);
    for some in held.chunks(AT_ONCE) {
        let images: Vec<Image> = some.iter().map(|i| reals.cache.image(*i as usize)).collect();
        for ((image, closest), features) in
            some.iter().zip(search.closest(&images)).zip(rows.by_ref())
        {
            writer.put(u64::from(*image), &pack_floats(&Head::of(Some(&closest)), features)?)?;
        }
    }
    write_fakes(fakes, &fake, (&search, &encoder), &mut writer, sink)?;
    writer.finish()?;
    Ok(ShardDone { items, was_there: false })
}

fn write_fakes(
    fakes: &GeneratedImages,
    wanted: &[usize],
    (search, encoder): (&CopySearch, &ImagenetEncoder),
    writer: &mut ShardWriter,
    sink: Sink<'_>,
) -> Result<(), TrustError> {
    let mut done = 0;
    for some in wanted.chunks(fakes.at_a_time(AT_ONCE)) {
        if stop_requested() {
            return Err(EvalError::Stopped.into());
        }
        let (mut numbers, mut images) = (Vec::new(), Vec::new());
        for (index, read) in some.iter().zip(fakes.images(some)?) {
            let number = FAKES + *index as u64;
            match read {
                Ok(image) => {
                    numbers.push(number);
                    images.push(image);
                }
                Err(problem) => writer.put(number, &pack_floats(&Head::unread(problem), &[])?)?,
            }
        }
        let features = encoder.extract(&images)?;
        let rows = features.chunks_exact(ImagenetEncoder::DIMS);
        for ((number, closest), features) in numbers.iter().zip(search.closest(&images)).zip(rows) {
            writer.put(*number, &pack_floats(&Head::of(Some(&closest)), features)?)?;
        }
        done += some.len();
        sink(EvalEvent::Fake { done, total: wanted.len() });
    }
    Ok(())
}
