//! Batches are prepared on a separate thread while the previous step computes. A batch is a function of the seed and of
//! the number of its first image, so a checkpoint holds nothing of this.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use burn::tensor::TensorData;
use dermagan_base::orientation::Orientation;
use dermagan_data::Cache;
use dermagan_data::order::{Draw, Order, oriented, to_planes};
use dermagan_model::ModelConfig;
use dermagan_model::training_values;
use rayon::prelude::*;

use crate::plan::run_plan::Plan;

/// Number of finished batches that wait while another is prepared. One is enough to make up for steps that are shorter
/// than others, such as those without a penalty.
const READY: usize = 1;

/// The batch of one step, or a part of it, on the host.
#[derive(Clone, Debug)]
pub struct HostBatch {
    /// Real images.
    pub images: Images,
    /// The class of each real image, as in [`Plan::class_of`].
    pub classes: Vec<usize>,
    /// Latents of the same number of fakes, `[batch, latents]` ([`ModelConfig::latents`]).
    pub latents: Vec<f32>,
}

/// The images of a batch on the host.
#[derive(Clone, Debug)]
pub enum Images {
    /// `[batch, 3, side, side]` in [-1, 1], for training on the CPU. The prefetching thread converts them.
    Planes(Vec<f32>),
    /// `[batch, side, side, 3]` in 0 to 255, as they are stored, for training on a GPU. The GPU converts them, which
    /// saves three quarters of the transfer.
    Bytes(Vec<u8>),
}

impl HostBatch {
    /// Number of images.
    pub fn count(&self) -> usize {
        self.classes.len()
    }

    /// The batch in `parts` consecutive parts of equal size. Their number divides that of the images.
    pub fn split(self, parts: usize) -> Vec<Self> {
        if parts == 1 {
            return vec![self];
        }
        let of = |part: usize| Self {
            images: match &self.images {
                Images::Planes(planes) => Images::Planes(slice(planes, part, parts)),
                Images::Bytes(bytes) => Images::Bytes(slice(bytes, part, parts)),
            },
            classes: slice(&self.classes, part, parts),
            latents: slice(&self.latents, part, parts),
        };
        (0..parts).map(of).collect()
    }
}

/// Part number `part` of `parts` equal parts.
fn slice<T: Clone>(values: &[T], part: usize, parts: usize) -> Vec<T> {
    let each = values.len() / parts;
    values[part * each..(part + 1) * each].to_vec()
}

impl Images {
    /// As [`Images::Planes`], `batch` images of `side` × `side` pixels.
    pub fn planes(self, batch: usize, side: usize) -> TensorData {
        let each = 3 * side * side;
        let planes = match self {
            Self::Planes(planes) => planes,
            Self::Bytes(bytes) => {
                let mut planes = vec![0.0; batch * each];
                planes.par_chunks_mut(each).zip(bytes.par_chunks(each)).for_each(
                    |(planes, bytes)| to_planes(bytes, side, Orientation::default(), planes),
                );
                planes
            }
        };
        TensorData::new(planes, [batch, 3, side, side])
    }
}

/// Prepares the batches of a run ahead of its steps.
#[derive(Debug)]
pub struct Prefetch {
    maker: Arc<Maker>,
    ahead: Option<Ahead>,
}

/// A thread that prepares consecutive batches.
#[derive(Debug)]
struct Ahead {
    /// Number of the first image of the next batch.
    first: u64,
    batches: Receiver<HostBatch>,
}

/// Prepares single batches.
#[derive(Debug)]
struct Maker {
    order: Order,
    cache: Arc<Cache>,
    /// The class of each image of the cache.
    classes: Vec<usize>,
    model: ModelConfig,
    seed: u64,
    /// Images per step.
    batch: usize,
    /// The images of each batch that this process computes.
    part: Range<usize>,
    as_bytes: bool,
}

impl Prefetch {
    /// For the `part` of each batch of a run, with images as bytes or as planes ([`Images`]).
    pub fn new(plan: &Plan, part: Range<usize>, as_bytes: bool) -> Self {
        let config = &plan.config;
        let maker = Maker {
            order: plan.order(),
            cache: plan.cache.clone(),
            classes: (0..plan.cache.len() as u32).map(|image| plan.class_of(image)).collect(),
            model: config.model,
            seed: config.seed,
            batch: config.optimiser.batch,
            part,
            as_bytes,
        };
        Self { maker: Arc::new(maker), ahead: None }
    }

    /// The part of the batch that begins with image number `first` of the run. It is ready, or nearly so, if the previous call was
    /// for the batch before it.
    pub fn batch(&mut self, first: u64) -> HostBatch {
        let mut ahead = match self.ahead.take() {
            Some(ahead) if ahead.first == first => ahead,
            _ => Ahead { first, batches: start(self.maker.clone(), first) },
        };
        // If the system has no thread left, the step makes its own batch.
        let batch = ahead.batches.recv().unwrap_or_else(|_| self.maker.make(first));
        ahead.first += self.maker.batch as u64;
        self.ahead = Some(ahead);
        batch
    }
}

/// Starts a thread that prepares the batches from image number `first` on. It ends when the receiver is dropped.
fn start(maker: Arc<Maker>, first: u64) -> Receiver<HostBatch> {
    let (sender, batches) = sync_channel(READY);
    let work = move || {
        let firsts = (first..).step_by(maker.batch);
        firsts.map(|first| maker.make(first)).try_for_each(|batch| sender.send(batch))
    };
    let _ = thread::Builder::new().name("prefetch".into()).spawn(work);
    batches
}

impl Maker {
    /// The part of the batch that begins with image number `first` of the run.
    fn make(&self, first: u64) -> HostBatch {
        let side = self.cache.size();
        let each = 3 * side * side;
        let (first, count) = (first + self.part.start as u64, self.part.len());
        let draws: Vec<_> = (first..).take(count).map(|i| self.order.at(i)).collect();
        let pixels = |draw: &Draw| self.cache.pixels(draw.image as usize);
        let images = match self.as_bytes {
            true => {
                let mut bytes = vec![0; count * each];
                bytes.par_chunks_mut(each).zip(&draws).for_each(|(bytes, draw)| {
                    oriented(pixels(draw), side, draw.orientation, bytes);
                });
                Images::Bytes(bytes)
            }
            false => {
                let mut planes = vec![0.0; count * each];
                planes.par_chunks_mut(each).zip(&draws).for_each(|(planes, draw)| {
                    to_planes(pixels(draw), side, draw.orientation, planes);
                });
                Images::Planes(planes)
            }
        };
        HostBatch {
            images,
            classes: draws.iter().map(|draw| self.classes[draw.image as usize]).collect(),
            latents: training_values(self.seed, "z train", first, count, &self.model),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::request::TrainRequest;
    use crate::test_support::{plan as phantom, request};

    fn plan() -> Plan {
        phantom(TrainRequest { batch: Some(8), quarter_turns: true, ..request("tiny", &[]) })
            .unwrap()
    }

    #[test]
    fn a_batch_does_not_depend_on_earlier_requests() {
        let plan = plan();
        let mut prefetch = Prefetch::new(&plan, 0..8, false);
        let order = plan.order();
        let planes = |images: Images| images.planes(8, 32).try_to_vec::<f32>().unwrap();
        let values = |batch: HostBatch| (planes(batch.images), batch.classes, batch.latents);
        let mut as_bytes = Prefetch::new(&plan, 0..8, true);
        // In order through several epochs, again from the middle, and back to the beginning.
        for first in [0, 8, 16, 24, 32, 40, 48, 24, 32, 3, 0, 8] {
            let alone = prefetch.maker.make(first);
            assert_eq!(alone.latents.len(), 8 * plan.config.model.latents());
            let images = (first..first + 8).map(|i| order.at(i).image);
            let classes: Vec<_> = images.map(|image| plan.class_of(image)).collect();
            assert_eq!(alone.classes, classes);
            let expected = values(alone);
            assert_eq!(values(prefetch.batch(first)), expected, "{first}");
            assert_eq!(values(as_bytes.batch(first)), expected, "{first}, as bytes");
        }
    }

    #[test]
    fn the_parts_of_a_batch_are_those_of_the_whole_batch() {
        let plan = plan();
        for as_bytes in [false, true] {
            let values = |batch: HostBatch| {
                let count = batch.count();
                let planes = batch.images.planes(count, 32).try_to_vec::<f32>().unwrap();
                (planes, batch.classes, batch.latents)
            };
            let mut whole = Prefetch::new(&plan, 0..8, as_bytes);
            for parts in [1, 2, 4, 8] {
                let split = whole.batch(16).split(parts);
                for (i, expected) in split.into_iter().enumerate() {
                    let each = 8 / parts;
                    let mut part = Prefetch::new(&plan, i * each..(i + 1) * each, as_bytes);
                    assert_eq!(values(part.batch(16)), values(expected), "{i} of {parts}");
                }
            }
        }
    }

    #[test]
    fn the_thread_ends_when_the_receiver_is_dropped() {
        let mut prefetch = Prefetch::new(&plan(), 0..8, true);
        prefetch.batch(0);
        let maker = prefetch.maker.clone();
        drop(prefetch);
        let ended = (0..1000).any(|_| {
            thread::sleep(std::time::Duration::from_millis(5));
            Arc::strong_count(&maker) == 1
        });
        assert!(ended);
    }
}
