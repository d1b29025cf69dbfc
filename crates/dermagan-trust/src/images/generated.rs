//! Reads generated images in batches, so that memory does not grow with their number.

use dermagan_base::image::Image;
use dermagan_data::LeftOut;
use dermagan_eval::{EvalEvent, GeneratedImages, Sink};

use crate::error::TrustError;

/// Images that are read at a time.
const AT_ONCE: usize = 256;

/// Calls `each` with the indices and the images of every batch of `wanted`. Returns the images that cannot be read, which `each`
/// does not get.
///
/// # Errors
/// Those of a generator, and those of `each`.
pub(crate) fn in_batches(
    fakes: &GeneratedImages,
    wanted: &[usize],
    sink: Sink<'_>,
    mut each: impl FnMut(&[usize], &[Image]) -> Result<(), TrustError>,
) -> Result<Vec<LeftOut>, TrustError> {
    let mut left_out = Vec::new();
    let mut done = 0;
    for some in wanted.chunks(fakes.at_a_time(AT_ONCE)) {
        let (mut indices, mut images) = (Vec::new(), Vec::with_capacity(some.len()));
        for (i, read) in some.iter().zip(fakes.images(some)?) {
            match read {
                Ok(image) => {
                    indices.push(*i);
                    images.push(image);
                }
                Err(problem) => LeftOut::add_problem(&mut left_out, &problem),
            }
        }
        each(&indices, &images)?;
        done += some.len();
        sink(EvalEvent::Fake { done, total: wanted.len() });
    }
    Ok(left_out)
}
