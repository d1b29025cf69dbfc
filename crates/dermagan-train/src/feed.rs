//! What the steps learn from, put together on a thread of its own while the step before computes. It is a
//! function of the seed and of the number of the image alone, so there is nothing here to save.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::orientation::Orientation;
use dermagan_data::Cache;
use dermagan_data::order::{Draw, Order, oriented, to_planes};
use dermagan_model::ModelConfig;
use dermagan_model::latent::training_values;
use dermagan_model::ops::{from_bytes, is_cpu};
use dermagan_model::transfer::upload;
use rayon::prelude::*;

use crate::plan::Plan;

/// Batches that lie ready beside the one in the making: one makes up for a step that is shorter than the
/// others, such as those without a penalty.
const READY: usize = 1;

/// What one step learns from, on the host.
#[derive(Clone, Debug)]
pub struct Fed {
    /// Real images.
    pub images: Images,
    /// The class of each, as in [`Plan::class_of`].
    pub classes: Vec<usize>,
    /// Latents of as many fakes, [batch, [`ModelConfig::latents`]].
    pub latents: Vec<f32>,
}

/// The images of a batch on the host.
#[derive(Clone, Debug)]
pub enum Images {
    /// [batch, 3, side, side] in [-1, 1]: for the CPU, which has nothing to convert them with beside the step.
    Planes(Vec<f32>),
    /// [batch, side, side, 3], as they are stored: for GPUs, which convert them. A quarter of the transfer.
    Bytes(Vec<u8>),
}

impl Images {
    /// `batch` images of `side` × `side` pixels on a device, [batch, 3, side, side] in [-1, 1].
    pub fn upload(self, batch: usize, side: usize, device: &Device) -> Tensor<4> {
        let shape = [batch, 3, side, side];
        match self {
            Self::Planes(planes) => upload(TensorData::new(planes, shape), device),
            Self::Bytes(bytes) if is_cpu(device) => {
                let each = 3 * side * side;
                let mut planes = vec![0.0; batch * each];
                planes.par_chunks_mut(each).zip(bytes.par_chunks(each)).for_each(
                    |(planes, bytes)| {
                        to_planes(bytes, side, Orientation::default(), planes);
                    },
                );
                upload(TensorData::new(planes, shape), device)
            }
            Self::Bytes(bytes) => from_bytes(&bytes, batch, side, device),
        }
    }
}

/// Gives one batch after the other.
#[derive(Debug)]
pub struct Feed {
    maker: Arc<Maker>,
    ahead: Option<Ahead>,
}

/// A thread that is at work.
#[derive(Debug)]
struct Ahead {
    /// Number of the first image of the batch that it gives next.
    first: u64,
    batches: Receiver<Fed>,
}

#[derive(Debug)]
struct Maker {
    order: Order,
    cache: Arc<Cache>,
    /// The class of every image.
    classes: Vec<usize>,
    model: ModelConfig,
    seed: u64,
    batch: usize,
    as_bytes: bool,
}

impl Feed {
    /// The batches of a run, their images as bytes or as planes ([`Images`]).
    pub fn new(plan: &Plan, as_bytes: bool) -> Self {
        let config = &plan.config;
        let maker = Maker {
            order: plan.order(),
            cache: plan.cache.clone(),
            classes: (0..plan.cache.len() as u32).map(|image| plan.class_of(image)).collect(),
            model: config.model,
            seed: config.seed,
            batch: config.optimiser.batch,
            as_bytes,
        };
        Self { maker: Arc::new(maker), ahead: None }
    }

    /// The batch that begins with image number `first` of the run. It lies ready, or nearly so, where
    /// the one before was asked for last.
    pub fn batch(&mut self, first: u64) -> Fed {
        let mut ahead = match self.ahead.take() {
            Some(ahead) if ahead.first == first => ahead,
            _ => Ahead { first, batches: start(self.maker.clone(), first) },
        };
        // No thread to be had is no reason to stop: then the step waits.
        let fed = ahead.batches.recv().unwrap_or_else(|_| self.maker.make(first));
        ahead.first += self.maker.batch as u64;
        self.ahead = Some(ahead);
        fed
    }
}

/// The batches from `first` on, until nobody takes them any more.
fn start(maker: Arc<Maker>, first: u64) -> Receiver<Fed> {
    let (sender, batches) = sync_channel(READY);
    let work = move || {
        let firsts = (first..).step_by(maker.batch);
        firsts.map(|first| maker.make(first)).try_for_each(|fed| sender.send(fed))
    };
    let _ = thread::Builder::new().name("feed".into()).spawn(work);
    batches
}

impl Maker {
    fn make(&self, first: u64) -> Fed {
        let side = self.cache.size();
        let each = 3 * side * side;
        let draws: Vec<_> = (first..).take(self.batch).map(|i| self.order.at(i)).collect();
        let pixels = |draw: &Draw| self.cache.pixels(draw.image as usize);
        let images = match self.as_bytes {
            true => {
                let mut bytes = vec![0; self.batch * each];
                bytes.par_chunks_mut(each).zip(&draws).for_each(|(bytes, draw)| {
                    oriented(pixels(draw), side, draw.orientation, bytes);
                });
                Images::Bytes(bytes)
            }
            false => {
                let mut planes = vec![0.0; self.batch * each];
                planes.par_chunks_mut(each).zip(&draws).for_each(|(planes, draw)| {
                    to_planes(pixels(draw), side, draw.orientation, planes);
                });
                Images::Planes(planes)
            }
        };
        Fed {
            images,
            classes: draws.iter().map(|draw| self.classes[draw.image as usize]).collect(),
            latents: training_values(self.seed, "z train", first, self.batch, &self.model),
        }
    }
}

#[cfg(test)]
mod tests {
    use dermagan_model::named::to_vec;

    use super::*;
    use crate::plan::Request;
    use crate::plan::tests::phantom;

    fn plan() -> Plan {
        phantom(Request {
            preset: "tiny".into(),
            batch: Some(8),
            quarter_turns: true,
            ..Request::default()
        })
        .unwrap()
    }

    #[test]
    fn a_batch_does_not_depend_on_what_was_asked_for_before() {
        let plan = plan();
        let mut feed = Feed::new(&plan, false);
        let order = plan.order();
        let planes = |images: Images| {
            to_vec(images.upload(8, 32, &Device::flex()).reshape([8 * 3 * 32 * 32]))
        };
        let values = |fed: Fed| (planes(fed.images), fed.classes, fed.latents);
        let mut as_bytes = Feed::new(&plan, true);
        // In turn through several epochs, again from the middle, and back to the beginning.
        for first in [0, 8, 16, 24, 32, 40, 48, 24, 32, 3, 0, 8] {
            let alone = feed.maker.make(first);
            assert_eq!(alone.latents.len(), 8 * plan.config.model.latents());
            let images = (first..first + 8).map(|i| order.at(i).image);
            let classes: Vec<_> = images.map(|image| plan.class_of(image)).collect();
            assert_eq!(alone.classes, classes);
            let expected = values(alone);
            assert_eq!(values(feed.batch(first)), expected, "{first}");
            assert_eq!(values(as_bytes.batch(first)), expected, "{first}, as bytes");
        }
    }

    #[test]
    fn the_thread_ends_when_nobody_takes_batches_any_more() {
        let mut feed = Feed::new(&plan(), true);
        feed.batch(0);
        let maker = feed.maker.clone();
        drop(feed);
        let ended = (0..1000).any(|_| {
            thread::sleep(std::time::Duration::from_millis(5));
            Arc::strong_count(&maker) == 1
        });
        assert!(ended);
    }
}
