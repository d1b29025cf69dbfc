//! Exports a generator with its card, as a file or a folder to share.

use std::path::{Path, PathBuf};

use dermagan_base::name::has_ending;
use dermagan_base::{SettingError, atomic, producer};
use dermagan_export::{
    OnnxOptions, is_own_module, is_own_onnx, onnx_model, pytorch_module, write_hub_folder,
};
use dermagan_generate::class_caution;
use dermagan_model::{Card, ModelFile};

use crate::error::TrainError;
use crate::store::checkpoint::is_checkpoint;
use crate::store::rundir;
use crate::tools::open_model::open_model;

/// The format of an exported generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// dermagan's own file: the weights with their card.
    Safetensors,
    /// A graph of ONNX.
    Onnx,
    /// A Python file with a PyTorch module that loads the weights.
    Torch,
    /// A folder for Hugging Face.
    Hub,
}

impl ExportFormat {
    /// The format of a file, by the ending of its name.
    fn of(out: &Path) -> Option<Self> {
        let endings =
            [("safetensors", Self::Safetensors), ("onnx", Self::Onnx), ("py", Self::Torch)];
        endings.into_iter().find(|(ending, _)| has_ending(out, ending)).map(|(_, format)| format)
    }
}

/// A request to export a generator.
#[derive(Clone, Debug, Default)]
pub struct ExportRequest {
    /// A run's folder, a model file, a checkpoint, `latest` or `shipped`. `None` stands for the newest run, or for the
    /// generator that comes with the program if there is no run and no `outdir`.
    pub model: Option<PathBuf>,
    /// Folder of runs in which the newest run is looked up; `None` for [`RUNS`](crate::RUNS). It may be given only if
    /// the newest run is wanted.
    pub outdir: Option<PathBuf>,
    /// The file to write, or the folder if the format is [`ExportFormat::Hub`].
    pub out: PathBuf,
    /// The format; `None` for that of the ending of `out`: `.safetensors`, `.onnx` or `.py`.
    pub format: Option<ExportFormat>,
    /// Whether the weights of a safetensors file keep their 32 bits. Otherwise they are rounded to half precision.
    pub full: bool,
    /// Code of the class of all images of an ONNX file. Without it, the graph of a class-conditional generator has an input
    /// for the class.
    pub class: Option<String>,
    /// Whether the images of an ONNX file are floats in \[-1, 1\] instead of bytes.
    pub float: bool,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Name of the model for users.
    pub name: String,
    /// The format.
    pub format: ExportFormat,
    /// Size of the file, or of all files of the folder, in bytes.
    pub bytes: usize,
    /// Licence of the data that the model learnt from.
    pub licence: String,
    /// What a user should know about the model and the file.
    pub notes: Vec<String>,
}

/// Writes a generator in the requested format. A generator of another program, which has no card, gets one without classes and
/// with an unknown licence.
///
/// # Errors
/// When the file belongs to a run, is not one that this function may replace, or cannot be written; when the generator
/// cannot make the class, or a setting has no effect on the format.
pub fn export(request: &ExportRequest) -> Result<Exported, TrainError> {
    let out = &request.out;
    let format = check_out(request)?;
    refuse_without_effect(request, format)?;
    let (name, mut model) = open_model(request.model.as_deref(), request.outdir.as_deref())?;
    if request.model.as_deref().is_some_and(|model| is_same_file(model, out)) {
        let problem = "this is the model itself; name another file";
        return Err(SettingError::value(setting(request), out.display(), problem).into());
    }
    let mut notes = model.notes.clone();
    let is_own = model.card.is_some();
    let card =
        model.card.get_or_insert_with(|| Card::of_other_program(model.config, producer())).clone();
    if !is_own && format != ExportFormat::Torch {
        notes.push(format!(
            "{name} has no card: the new file has one without classes, and with an unknown licence of the data"
        ));
    }
    let write = |bytes: Vec<u8>| {
        atomic::write(out, &bytes).map_err(TrainError::io(out))?;
        Ok::<usize, TrainError>(bytes.len())
    };
    let bytes = match format {
        ExportFormat::Safetensors if request.full => {
            write(ModelFile::to_bytes(&model.weights, &card)?)?
        }
        ExportFormat::Safetensors => write(ModelFile::to_bytes_half(&model.weights, &card)?)?,
        ExportFormat::Onnx => {
            let options = OnnxOptions { class: request.class.clone(), float: request.float };
            write(onnx_model(&model, &options)?)?
        }
        ExportFormat::Torch => write(pytorch_module())?,
        ExportFormat::Hub => write_hub_folder(&model.weights, &card, request.full, out)?,
    };
    match format {
        ExportFormat::Safetensors => {}
        ExportFormat::Torch => notes.push(where_weights_are(&name, is_own)),
        ExportFormat::Onnx | ExportFormat::Hub => notes.extend(notes_on_graph(&model, request)),
    }
    Ok(Exported { name, format, bytes, licence: card.licence, notes })
}

/// What a user of the PyTorch module needs to know.
fn where_weights_are(name: &str, is_own: bool) -> String {
    let file = Path::new(name);
    match is_own && file.is_file() && !is_checkpoint(file) {
        true => format!("the module holds no weights: Generator.from_file(\"{name}\") loads them"),
        false => "the module holds no weights: write them to a .safetensors file with the same MODEL, and load that with \
                  Generator.from_file"
            .to_owned(),
    }
}

/// What a user of the graph needs to know.
fn notes_on_graph(model: &ModelFile, request: &ExportRequest) -> Vec<String> {
    let turned = model.card.as_ref().is_some_and(|card| card.turns).then(|| {
        "the images of the ONNX file have no random orientation: mirror and rotate each by a multiple of 90 degrees, as \
         dermagan does by its seed"
            .to_owned()
    });
    let full = request.full && request.format != Some(ExportFormat::Hub);
    let full = full.then(|| "an ONNX file always has 32 bits per weight".to_owned());
    class_caution(model).into_iter().chain(turned).chain(full).collect()
}

/// The setting that named the file or folder.
fn setting(request: &ExportRequest) -> &'static str {
    match request.format {
        Some(ExportFormat::Torch) => "torch",
        Some(ExportFormat::Hub) => "hub",
        _ => "out",
    }
}

/// Refuses settings that have no effect on the format.
fn refuse_without_effect(
    request: &ExportRequest,
    format: ExportFormat,
) -> Result<(), SettingError> {
    if let Some(class) = &request.class
        && format != ExportFormat::Onnx
    {
        let problem = "only an ONNX file has a fixed class; elsewhere the class is chosen when images are made";
        return Err(SettingError::value("class", class, problem));
    }
    if request.class.as_ref().is_some_and(|class| class.trim().eq_ignore_ascii_case("all")) {
        let problem = "an ONNX file makes one fixed class; leave out `class` to get a file with an input for the class";
        return Err(SettingError::value("class", "all", problem));
    }
    if request.float && format != ExportFormat::Onnx {
        return Err(SettingError::new("float", "only an ONNX file has images of floats"));
    }
    if request.full && format == ExportFormat::Torch {
        return Err(SettingError::new("full", "the PyTorch module holds no weights; leave it out"));
    }
    Ok(())
}

/// Checks that the file may be written, and returns its format. A folder is checked when it is written.
fn check_out(request: &ExportRequest) -> Result<ExportFormat, SettingError> {
    let out = &request.out;
    let refuse =
        |problem: String| Err(SettingError::value(setting(request), out.display(), problem));
    let format = request.format.or_else(|| ExportFormat::of(out));
    let Some(format) = format else {
        return refuse(format!(
            "dermagan writes .safetensors, .onnx and .py files: type `out` = {}. `torch` writes a module with which PyTorch \
             loads a .safetensors file, and `hub` a folder with all formats",
            out.with_extension("safetensors").display()
        ));
    };
    if format == ExportFormat::Hub {
        return Ok(format);
    }
    if ExportFormat::of(out) != Some(format) {
        return refuse(match format {
            ExportFormat::Torch => "a PyTorch module is a .py file".into(),
            ExportFormat::Onnx => "an ONNX file is named .onnx".into(),
            _ => "a generator's file is named .safetensors".into(),
        });
    }
    if rundir::is_of_run(out) {
        return refuse(
            "it is a file of a run, which the run may need to continue; name another file".into(),
        );
    }
    let Ok(found) = out.metadata() else { return Ok(format) };
    if found.is_dir() {
        return refuse("this is a folder; name a new file".into());
    }
    if !found.is_file() {
        return refuse("this is not a regular file; name a new file".into());
    }
    // Only a file that dermagan wrote, such as an earlier export, may be replaced.
    let (is_ours, kind) = match format {
        ExportFormat::Onnx => (is_own_onnx(out), "an ONNX file of dermagan"),
        ExportFormat::Torch => (is_own_module(out), "a module of dermagan, or was changed"),
        _ => {
            let is_ours = || ModelFile::open(out).is_ok_and(|model| model.card.is_some());
            (found.len() == 0 || is_ours(), "a generator of dermagan")
        }
    };
    match is_ours {
        true => Ok(format),
        false => refuse(format!("there is a file of this name, which is not {kind}; name another")),
    }
}

/// Whether the model and the file or folder to write are one: the same path, or a model in the folder.
fn is_same_file(model: &Path, out: &Path) -> bool {
    let [Ok(model), Ok(out)] = [model, out].map(Path::canonicalize) else { return false };
    model == out || out.is_dir() && model.parent() == Some(&out)
}
