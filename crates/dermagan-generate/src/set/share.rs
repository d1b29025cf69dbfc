//! Images that are made in shards: on several machines, or in several nights.

use dermagan_base::SettingError;
use dermagan_shards::{Job, Joined, ShardDone, ShardRequest};

use crate::classes;
use crate::error::GenerateError;
use crate::generator::ImageGenerator;
use crate::sampler::Shot;
use crate::selection::Selection;

impl ImageGenerator {
    /// Makes the images of one shard of a selection, and keeps them in a folder of shards. The format of the set is chosen when
    /// the shards are joined ([`ImageGenerator::write_joined`]). Each image is an item whose number is its place in the
    /// selection. `progress` receives the number of images of the shard that are done.
    ///
    /// # Errors
    /// When a setting is out of range, the folder holds shards of another job, or it cannot be written.
    pub fn write_shard(
        &self,
        images: &Selection,
        request: &ShardRequest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<ShardDone, GenerateError> {
        let (selection, indices) = self.resolved(images)?;
        let has = |item: u64| request.shard.has(item);
        let shots: Vec<(Shot, u64)> =
            selection.shots(&indices).zip(0..).filter(|(_, item)| has(*item)).collect();
        let count = shots.len() as u64;
        let Some(mut writer) = request.begin(&self.job(&selection))? else {
            return Ok(ShardDone { items: count, was_there: true });
        };
        let (psi, folder) = (selection.truncation, &request.folder);
        let mut done = 0;
        let mut items = shots.iter().map(|(_, item)| *item);
        let shots = shots.iter().map(|(shot, _)| *shot);
        self.sampler().each(shots, psi, selection.batch, |shot, image| {
            let png = self.png(shot, psi, &image, folder)?;
            items.next().map_or(Ok(()), |item| writer.put(item, &png))?;
            done += 1;
            progress(done);
            Ok::<(), GenerateError>(())
        })?;
        writer.finish()?;
        Ok(ShardDone { items: count, was_there: false })
    }

    /// A selection whose classes are codes of the model, checked, and their indices.
    pub(crate) fn resolved(
        &self,
        images: &Selection,
    ) -> Result<(Selection, Vec<usize>), SettingError> {
        let (classes, indices) = classes::resolve(self.model(), &images.classes)?;
        let selection = Selection { classes, ..images.clone() };
        selection.check(selection.classes.len())?;
        Ok((selection, indices))
    }

    /// What the bytes of the images depend on. The batch changes no image.
    pub(crate) fn job(&self, selection: &Selection) -> Job {
        let Selection { seeds, classes, truncation, batch: _ } = selection;
        let settings = format!("{} {seeds:?} {classes:?} {truncation:?}", self.model().hash);
        Job::new("sample", &settings, &self.device().computed_on())
    }

    /// Passes the PNG file of each image to `give`, in order: made by the generator, or taken from shards, which must be those
    /// of this selection. `shots` have their places in the selection.
    pub(crate) fn each_png(
        &self,
        shots: impl Iterator<Item = (Shot, u64)>,
        selection: &Selection,
        joined: Option<&Joined>,
        mut give: impl FnMut(Shot, Vec<u8>) -> Result<(), GenerateError>,
    ) -> Result<(), GenerateError> {
        let psi = selection.truncation;
        match joined {
            None => {
                let shots = shots.map(|(shot, _)| shot);
                self.sampler().each(shots, psi, selection.batch, |shot, image| {
                    give(shot, self.png(shot, psi, &image, "a generated image".as_ref())?)
                })
            }
            Some(joined) => {
                for (shot, item) in shots {
                    give(shot, joined.require(item)?)?;
                }
                Ok(())
            }
        }
    }
}
