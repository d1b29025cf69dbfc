//! A folder for Hugging Face: a model card, and the generator in all formats.

mod folder;
mod grid;
mod readme;

use std::io::Write;
use std::path::Path;

use dermagan_base::atomic::{self, Pending};
use dermagan_base::quoted;
use dermagan_generate::ImageGenerator;
use dermagan_model::weights::Weights;
use dermagan_model::{Card, ComputeDevice, ModelError, ModelFile};
use serde_json::Value;

use crate::error::ExportError;
use crate::onnx::{OnnxOptions, onnx_model};
use crate::pytorch::pytorch_module;
use folder::{CONFIG, GRAPH, GRID, MODEL_TYPE, MODULE, README, WEIGHTS, look};
use grid::Grid;

/// Writes a folder that can be uploaded to Hugging Face, and that dermagan opens as a model: `generator.safetensors` (in half
/// precision unless `full`), `config.json`, `generator.py`, `generator.onnx`, `grid.png` and the model card, `README.md`.
/// All of them hold the same weights. The model card is written last, and an earlier one is removed first: a folder
/// without it is not complete. Returns the size of all files in bytes.
///
/// # Errors
/// When the folder holds a file that dermagan did not write or that was changed since, the weights do not fit the card, or a
/// file cannot be written. Nothing is written before the folder was looked at.
pub fn write_hub_folder(
    weights: &Weights,
    card: &Card,
    full: bool,
    folder: &Path,
) -> Result<usize, ExportError> {
    look(folder)?;
    let bytes = match full {
        true => ModelFile::to_bytes(weights, card)?,
        false => ModelFile::to_bytes_half(weights, card)?,
    };
    // Read back, so that the graph has the weights of the file and the hash is that of the file.
    let model = ModelFile::from_bytes(WEIGHTS, &bytes)?;
    let grid = Grid::of(card);
    let readme = readme::text(&model, card, full, &grid);
    // The configuration comes first: `look` knows a folder of this crate by it.
    let files = [
        (CONFIG, config(card)?),
        (WEIGHTS, bytes),
        (MODULE, pytorch_module()),
        (GRAPH, onnx_model(&model, &OnnxOptions::default())?),
    ];
    std::fs::create_dir_all(folder).map_err(ExportError::io(folder))?;
    let path = folder.join(README);
    // This waits for another process that writes this folder.
    let mut pending = Pending::create(&path).map_err(ExportError::io(&path))?;
    look(folder)?;
    remove(&path)?;
    let mut size = readme.len();
    for (name, bytes) in &files {
        let path = folder.join(name);
        atomic::write(&path, bytes).map_err(ExportError::io(&path))?;
        size += bytes.len();
    }
    let examples = folder.join(GRID);
    let generator = ImageGenerator::new(model, ComputeDevice::cpu())?;
    generator.write_grid(&grid.request, &examples, &mut |_| ())?;
    size += examples.metadata().map_err(ExportError::io(&examples))?.len() as usize;
    pending
        .file()
        .write_all(readme.as_bytes())
        .and_then(|()| pending.commit())
        .map_err(ExportError::io(&path))?;
    Ok(size)
}

/// The card as JSON, with the key by which programs of Hugging Face tell kinds of models apart.
fn config(card: &Card) -> Result<Vec<u8>, ModelError> {
    let bad = |error: serde_json::Error| ModelError::Config(format!("its card: {}", quoted(error)));
    let mut value = serde_json::to_value(card).map_err(bad)?;
    if let Value::Object(map) = &mut value {
        map.insert("model_type".into(), MODEL_TYPE.into());
    }
    let mut bytes = serde_json::to_vec_pretty(&value).map_err(bad)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Removes the model card of an earlier call: if the present call is killed, it must not describe the files of this one.
fn remove(readme: &Path) -> Result<(), ExportError> {
    atomic::remove(readme).map_err(ExportError::io(readme))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dermagan_generate::{Selection, shipped_model};

    use super::*;

    fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        entries
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_folder_is_complete_reproducible_and_opens_as_the_same_generator() {
        let shipped = shipped_model().unwrap();
        let card = shipped.card.clone().unwrap();
        let desk = tempfile::tempdir().unwrap();
        let folder = desk.path().join("deep/hub");
        let write = || write_hub_folder(&shipped.weights, &card, false, &folder);
        let size = write().unwrap();
        let first = contents(&folder);
        let names: Vec<&str> = first.keys().map(String::as_str).collect();
        assert_eq!(names, [README, CONFIG, GRAPH, MODULE, WEIGHTS, GRID]);
        assert_eq!(first.values().map(Vec::len).sum::<usize>(), size);
        // The shipped generator has half precision already, so the file is the same.
        let opened = ModelFile::open(&folder.join(WEIGHTS)).unwrap();
        assert_eq!((&opened.hash, opened.card.as_ref()), (&shipped.hash, Some(&card)));
        let images = |model| {
            let generator = ImageGenerator::new(model, ComputeDevice::cpu()).unwrap();
            generator.images(&Selection::first(2)).unwrap()
        };
        assert!(images(opened) == images(shipped.clone()));
        let config: Value = serde_json::from_slice(&first[CONFIG]).unwrap();
        assert_eq!(
            (&config["model_type"], &config["classes"][4]),
            (&"dermagan".into(), &"mel".into())
        );
        let readme = String::from_utf8(first[README].clone()).unwrap();
        for words in ["\nlicense: cc-by-nc-4.0\n", &shipped.hash, "akiec (261 training images)"] {
            assert!(readme.contains(words), "{words}: {readme}");
        }
        assert!(!readme.contains("{side}") && readme.starts_with("---\nlicense"));
        // What a killed call leaves, and what git adds, is not in the way.
        std::fs::remove_file(folder.join(README)).unwrap();
        std::fs::write(folder.join("config.json.partial"), b"half").unwrap();
        std::fs::create_dir(folder.join(".git")).unwrap();
        write().unwrap();
        std::fs::remove_dir(folder.join(".git")).unwrap();
        assert!(contents(&folder) == first);
        for (name, bytes) in [("mine.txt", &b"mine"[..]), (README, b"mine"), (CONFIG, b"{}")] {
            std::fs::write(folder.join(name), bytes).unwrap();
            let before = contents(&folder);
            let error = write().unwrap_err().to_string();
            assert!(error.starts_with("`hub` = ") && error.contains(name), "{error}");
            assert!(contents(&folder) == before);
            std::fs::remove_file(folder.join(name)).unwrap();
        }
        // The loop removed the configuration, so the generator may be any user's.
        let error = write().unwrap_err().to_string();
        assert!(error.contains("without config.json"), "{error}");
    }

    #[test]
    fn a_file_is_not_a_folder() {
        let desk = tempfile::tempdir().unwrap();
        let file = desk.path().join("file");
        std::fs::write(&file, b"mine").unwrap();
        let error = look(&file).unwrap_err().to_string();
        assert!(error.contains("this is a file"), "{error}");
    }
}
