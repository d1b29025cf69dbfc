//! Exports a generator with its card, as a file to share.

use std::path::{Path, PathBuf};

use dermagan_base::name::has_ending;
use dermagan_base::{SettingError, atomic};
use dermagan_model::ModelFile;

use crate::error::TrainError;
use crate::store::resolve_model::open_model;
use crate::store::rundir;

/// A request to export a generator.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// A run's folder, a model file, `latest` or `shipped`. `None` stands for the newest run, or for the generator that
    /// comes with the program if there is no run.
    pub model: Option<PathBuf>,
    /// Folder of runs in which the newest run is looked up.
    pub outdir: PathBuf,
    /// The file to write. Its name must end with `.safetensors`.
    pub out: PathBuf,
    /// Whether weights keep their 32 bits. Otherwise they are rounded to half precision.
    pub full: bool,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Name of the model for users.
    pub name: String,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// Licence of the data that the model learnt from.
    pub licence: String,
}

/// Writes a generator with its card as a safetensors file.
///
/// # Errors
/// When the model has no card, or the file belongs to a run or cannot be written.
pub fn export(request: &ExportRequest) -> Result<Exported, TrainError> {
    check_out(&request.out)?;
    let (name, model) = open_model(request.model.as_deref(), &request.outdir)?;
    let card = model.card.clone().ok_or_else(|| {
        TrainError::Invalid(format!(
            "{name} has no card that states what it learnt from; expected a model of dermagan"
        ))
    })?;
    let bytes = match request.full {
        true => ModelFile::to_bytes(&model.weights, &card)?,
        false => ModelFile::to_bytes_half(&model.weights, &card)?,
    };
    atomic::write(&request.out, &bytes).map_err(TrainError::io(&request.out))?;
    Ok(Exported { name, bytes: bytes.len(), licence: card.licence })
}

fn check_out(out: &Path) -> Result<(), SettingError> {
    let problem = if !has_ending(out, "safetensors") {
        "expected a .safetensors file, such as out.safetensors"
    } else if rundir::is_of_run(out) {
        "it is a file of a run, which the run may need to continue; name another file"
    } else {
        return Ok(());
    };
    Err(SettingError::value("out", out.display(), problem))
}
