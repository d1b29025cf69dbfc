//! Exports a generator with its card, as a file to share.

use std::path::{Path, PathBuf};

use dermagan_base::name::has_ending;
use dermagan_base::{SettingError, atomic, producer};
use dermagan_model::{Card, ModelFile};

use crate::error::TrainError;
use crate::store::rundir;
use crate::tools::open_model::open_model;

/// A request to export a generator.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// A run's folder, a model file, a checkpoint, `latest` or `shipped`. `None` stands for the newest run, or for the
    /// generator that comes with the program if there is no run and no `outdir`.
    pub model: Option<PathBuf>,
    /// Folder of runs in which the newest run is looked up; `None` for [`RUNS`](crate::RUNS). It may be given only if
    /// the newest run is wanted.
    pub outdir: Option<PathBuf>,
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
    /// What a user should know about the model.
    pub notes: Vec<String>,
}

/// What the card of another program's generator says where nobody knows.
const UNKNOWN: &str = "unknown";

/// Writes a generator with its card as a safetensors file. A generator of another program, which has no card, gets one
/// without classes and with an unknown licence.
///
/// # Errors
/// When the file belongs to a run, is not one that this function may replace, or cannot be written.
pub fn export(request: &ExportRequest) -> Result<Exported, TrainError> {
    check_out(&request.out)?;
    let (name, model) = open_model(request.model.as_deref(), request.outdir.as_deref())?;
    if request.model.as_deref().is_some_and(|model| is_same_file(model, &request.out)) {
        let problem = "this is the model itself; name another file";
        return Err(SettingError::value("out", request.out.display(), problem).into());
    }
    let mut notes = model.notes.clone();
    let card = model.card.clone().unwrap_or_else(|| {
        notes.push(format!(
            "{name} has no card: the new file has one without classes, and with an unknown licence of the data"
        ));
        unknown_card(&model)
    });
    let bytes = match request.full {
        true => ModelFile::to_bytes(&model.weights, &card)?,
        false => ModelFile::to_bytes_half(&model.weights, &card)?,
    };
    atomic::write(&request.out, &bytes).map_err(TrainError::io(&request.out))?;
    Ok(Exported { name, bytes: bytes.len(), licence: card.licence, notes })
}

/// The card of a generator of another program.
fn unknown_card(model: &ModelFile) -> Card {
    Card {
        format: Card::FORMAT,
        kind: "generator".into(),
        producer: producer(),
        model: model.config,
        data: UNKNOWN.into(),
        licence: UNKNOWN.into(),
        classes: Vec::new(),
        class_images: Vec::new(),
        condition: 1.0,
        turns: false,
        preset: UNKNOWN.into(),
        nimg: 0,
    }
}

fn check_out(out: &Path) -> Result<(), SettingError> {
    let refuse = |problem: String| Err(SettingError::value("out", out.display(), problem));
    if !has_ending(out, "safetensors") {
        return refuse(format!(
            "dermagan writes .safetensors files: type `out` = {}. In PyTorch scripts/load_generator.py opens them, and \
             from there a generator can be saved in other formats",
            out.with_extension("safetensors").display()
        ));
    }
    if rundir::is_of_run(out) {
        return refuse(
            "it is a file of a run, which the run may need to continue; name another file".into(),
        );
    }
    let Ok(found) = out.metadata() else { return Ok(()) };
    if found.is_dir() {
        return refuse("this is a folder; name a new file".into());
    }
    // Only a generator with a card, such as an earlier export, may be replaced.
    let is_ours = || ModelFile::open(out).is_ok_and(|model| model.card.is_some());
    match found.len() == 0 || is_ours() {
        true => Ok(()),
        false => refuse(
            "there is a file of this name, which is not a generator of dermagan; name another"
                .into(),
        ),
    }
}

/// Whether two paths lead to one file.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let [a, b] = [a, b].map(Path::canonicalize);
    a.is_ok_and(|a| b.is_ok_and(|b| a == b))
}
