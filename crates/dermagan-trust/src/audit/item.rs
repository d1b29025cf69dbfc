//! What an audit knows of one image, as an item of a shard.

use dermagan_base::orientation::Orientation;
use dermagan_data::{LeftOut, Problem};
use dermagan_eval::{Features, ImagenetEncoder};
use dermagan_shards::{Joined, ShardError, unpack_floats};
use serde::{Deserialize, Serialize};

use crate::copies::search::Closest;
use crate::error::TrustError;
use crate::images::reals::Reals;

/// The number of the first generated image among the items; those below are photographs.
pub(crate) const FAKES: u64 = 1 << 32;

/// The features and what the image is closest to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Of a generated image and of a held-out photograph.
    closest: Option<ClosestValues>,
    /// Why a generated image could not be read. It has no features.
    problem: Option<Problem>,
}

/// A [`Closest`].
#[derive(Debug, Serialize, Deserialize)]
struct ClosestValues {
    image: u32,
    mirror: bool,
    quarters: u8,
    identical: bool,
    thumbnail: f64,
    aligned: f64,
}

impl Head {
    pub fn of(closest: Option<&Closest>) -> Self {
        let values = |of: &Closest| ClosestValues {
            image: of.image,
            mirror: of.orientation.mirror,
            quarters: of.orientation.quarters,
            identical: of.identical,
            thumbnail: of.thumbnail,
            aligned: of.aligned,
        };
        Self { closest: closest.map(values), problem: None }
    }

    pub fn unread(problem: Problem) -> Self {
        Self { closest: None, problem: Some(problem) }
    }

    /// The closest photograph; `None` if there is none or it is not one of `images`.
    fn closest(&self, images: usize) -> Option<Closest> {
        let of = self.closest.as_ref()?;
        let known = (of.image as usize) < images && of.quarters < 4;
        known.then_some(Closest {
            image: of.image,
            orientation: Orientation { mirror: of.mirror, quarters: of.quarters },
            identical: of.identical,
            thumbnail: of.thumbnail,
            aligned: of.aligned,
        })
    }
}

fn read(joined: &Joined, number: u64) -> Result<(Head, Vec<f32>), ShardError> {
    let item = joined.require(number)?;
    let found: Option<(Head, Vec<f32>)> = unpack_floats(&item);
    let fits = |(head, values): &(Head, Vec<f32>)| {
        let expected = if head.problem.is_some() { 0 } else { ImagenetEncoder::DIMS };
        values.len() == expected && values.iter().all(|value| value.is_finite())
    };
    found.filter(fits).ok_or_else(|| joined.damaged(number))
}

/// The features of the photographs, the training side first, and what each held-out one is closest to.
pub(crate) fn reals_of(
    joined: &Joined,
    reals: &Reals,
) -> Result<(Features, Vec<Closest>), TrustError> {
    let mut features = Features { dims: ImagenetEncoder::DIMS, values: Vec::new() };
    let mut held = Vec::new();
    for image in &reals.train {
        features.values.extend(read(joined, u64::from(*image))?.1);
    }
    for image in &reals.held {
        let number = u64::from(*image);
        let (head, values) = read(joined, number)?;
        held.push(head.closest(reals.cache.len()).ok_or_else(|| joined.damaged(number))?);
        features.values.extend(values);
    }
    Ok((features, held))
}

/// The generated images that could be read: their indices, what each is closest to, and their features.
pub(crate) struct ReadFakes {
    pub images: Vec<usize>,
    pub closest: Vec<Closest>,
    pub features: Vec<f32>,
    pub left_out: Vec<LeftOut>,
}

/// The generated images of `wanted`, by shards.
pub(crate) fn fakes_of(
    joined: &Joined,
    wanted: &[usize],
    photographs: usize,
) -> Result<ReadFakes, TrustError> {
    let mut found = ReadFakes {
        images: Vec::new(),
        closest: Vec::new(),
        features: Vec::new(),
        left_out: Vec::new(),
    };
    for image in wanted {
        let number = FAKES + *image as u64;
        let (head, values) = read(joined, number)?;
        match &head.problem {
            Some(problem) => LeftOut::add_problem(&mut found.left_out, problem),
            None => {
                let closest = head.closest(photographs).ok_or_else(|| joined.damaged(number))?;
                found.images.push(*image);
                found.closest.push(closest);
                found.features.extend(values);
            }
        }
    }
    Ok(found)
}
