//! All files of the page, in memory.

use std::borrow::Cow;
use std::sync::Arc;

use dermagan_base::{SettingError, hex, producer};
use dermagan_model::ModelFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::DemoError;
use crate::model::{Described, Prepared, prepare};
use crate::runtime::{Runtime, runtime_version};

/// The description of the page, which its script reads. It marks a folder as complete.
pub(crate) const DESCRIPTION: &str = "demo.json";
/// The value of `kind` in [`DESCRIPTION`].
pub(crate) const KIND: &str = "dermagan demo";
/// The largest number of generators: two for the comparison.
const MOST_MODELS: usize = 2;

/// The built page. `scripts/test-page` checks that it is what its sources in `page/` give.
const BUILT: [(&str, &[u8]); 6] = [
    ("index.html", include_bytes!("../page/dist/index.html")),
    ("page.css", include_bytes!("../page/dist/page.css")),
    ("page.js", include_bytes!("../page/dist/page.js")),
    ("worker.js", include_bytes!("../page/dist/worker.js")),
    ("icon.svg", include_bytes!("../page/dist/icon.svg")),
    ("licences.txt", include_bytes!("../page/dist/licences.txt")),
];

/// The bytes of a file: part of the program, or shared between connections.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    Static(&'static [u8]),
    Shared(Arc<[u8]>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// One file of the page.
#[derive(Clone, Debug)]
pub(crate) struct PageFile {
    /// Its path in the folder, with `/` between the parts.
    pub name: Cow<'static, str>,
    pub bytes: Bytes,
}

impl PageFile {
    /// The media type, by the ending of the name.
    pub fn media_type(&self) -> &'static str {
        match self.name.rsplit('.').next().unwrap_or_default() {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "json" => "application/json",
            "svg" => "image/svg+xml",
            "txt" => "text/plain; charset=utf-8",
            "wasm" => "application/wasm",
            _ => "application/octet-stream",
        }
    }

    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.bytes.as_ref()))
    }
}

/// The page with its generators: everything that a browser asks for.
#[derive(Clone, Debug)]
pub struct Page {
    /// [`DESCRIPTION`] is the last one.
    pub(crate) files: Vec<PageFile>,
}

/// A name and the SHA-256 of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub name: String,
    pub sha256: String,
}

/// The content of [`DESCRIPTION`].
#[derive(Serialize)]
struct Description<'a> {
    kind: &'static str,
    producer: String,
    runtime: &'static str,
    models: Vec<&'a Described>,
    files: Vec<Listed>,
}

impl Page {
    /// The page of one generator, or of two that it compares.
    ///
    /// # Errors
    /// When there is no generator, or more than two; when the weights of one do not fit its configuration, or its images
    /// are not finite.
    pub fn new(models: Vec<ModelFile>, runtime: &Runtime) -> Result<Self, DemoError> {
        if !(1..=MOST_MODELS).contains(&models.len()) {
            let problem = format!("{} generators; expected one, or two to compare", models.len());
            return Err(SettingError::new("against", problem).into());
        }
        if let [one, other] = models.as_slice()
            && one.hash == other.hash
        {
            let problem = "both are the same generator; name another one to compare with";
            return Err(SettingError::new("against", problem).into());
        }
        let prepared: Result<Vec<Prepared>, DemoError> =
            models.into_iter().zip(1..).map(|(model, number)| prepare(model, number)).collect();
        let prepared = prepared?;
        let built =
            BUILT.map(|(name, bytes)| PageFile { name: name.into(), bytes: Bytes::Static(bytes) });
        let runtime = runtime.files.iter().map(|(name, bytes)| PageFile {
            name: format!("runtime/{name}").into(),
            bytes: Bytes::Shared(bytes.clone()),
        });
        let graphs = prepared.iter().flat_map(|prepared| &prepared.files);
        let graphs = graphs.map(|(name, bytes)| PageFile {
            name: name.clone().into(),
            bytes: Bytes::Shared(bytes.as_slice().into()),
        });
        let mut files: Vec<PageFile> = built.into_iter().chain(runtime).chain(graphs).collect();
        let listed =
            |file: &PageFile| Listed { name: file.name.to_string(), sha256: file.sha256() };
        let description = Description {
            kind: KIND,
            producer: producer(),
            runtime: runtime_version(),
            models: prepared.iter().map(|prepared| &prepared.described).collect(),
            files: files.iter().map(listed).collect(),
        };
        let text = serde_json::to_vec(&description)
            .map_err(|error| DemoError::io(DESCRIPTION)(error.into()))?;
        files.push(PageFile { name: DESCRIPTION.into(), bytes: Bytes::Shared(text.into()) });
        Ok(Self { files })
    }

    /// The size of all files in bytes.
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.bytes.as_ref().len()).sum()
    }

    /// The file of this path.
    pub(crate) fn file(&self, name: &str) -> Option<&PageFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

/// A page for tests: of the generator that comes with the program, and a runtime of a few bytes.
#[cfg(test)]
pub(crate) fn test_page() -> Page {
    let runtime = Runtime { files: vec![("ort.wasm.min.mjs", Arc::from(&b"export {}"[..]))] };
    Page::new(vec![dermagan_generate::shipped_model().unwrap()], &runtime).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_its_files_and_is_smaller_than_a_megabyte_without_runtime_and_generator() {
        let page = test_page();
        let built: usize = BUILT.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(built < 500_000, "{built} bytes");
        let text = page.file(DESCRIPTION).unwrap().bytes.as_ref();
        let description: serde_json::Value = serde_json::from_slice(text).unwrap();
        assert_eq!(description["kind"], KIND);
        assert_eq!(description["models"][0]["classes"][4]["code"], "mel");
        for file in description["files"].as_array().unwrap() {
            let found = page.file(file["name"].as_str().unwrap()).unwrap();
            assert_eq!(file["sha256"], found.sha256().as_str());
        }
        assert_eq!(page.files.last().unwrap().name, DESCRIPTION);
    }

    #[test]
    fn a_comparison_needs_two_different_generators() {
        let runtime = Runtime { files: Vec::new() };
        let models =
            |count| (0..count).map(|_| dermagan_generate::shipped_model().unwrap()).collect();
        let refused = |count| Page::new(models(count), &runtime).unwrap_err().to_string();
        assert!(refused(0).contains("expected one"), "{}", refused(0));
        assert!(refused(2).contains("the same generator"), "{}", refused(2));
        assert!(refused(3).contains("3 generators"), "{}", refused(3));
    }
}
