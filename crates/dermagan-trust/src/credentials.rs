//! Signed content credentials: a statement inside each PNG that a trained model made it (C2PA,
//! <https://spec.c2pa.org>). With the cargo feature `c2pa` only.
//!
//! A signature says who vouches for the statement. Programs trust it if they trust the certificate's authority. Platforms
//! often remove such statements, so the SHA-256 of every file is written beside the folder too.

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use c2pa::{Builder, Context, Reader, Signer, SigningAlg, ValidationState, create_signer};
use dermagan_base::{SettingError, atomic, hex, producer, stop_requested};
use dermagan_eval::EvalError;
use dermagan_generate::is_generated;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::TrustError;

/// How IPTC names media that a trained model made.
const SOURCE: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
/// The chunk of a PNG that holds the statement.
const CHUNK: &[u8; 4] = b"caBX";

/// A request to sign the generated images of a folder.
#[derive(Clone, Debug)]
pub struct SignJob {
    /// The folder; its folders are looked into.
    pub folder: PathBuf,
    /// The certificates in PEM: that of the signer, and those up to an authority. A certificate that signed itself is refused,
    /// as C2PA demands.
    pub certificates: PathBuf,
    /// The private key of the first certificate in PEM.
    pub key: PathBuf,
    /// The algorithm of the key: `es256`, `es384`, `es512`, `ps256`, `ps384`, `ps512` or `ed25519`.
    pub algorithm: String,
    /// Address of an authority for time stamps; none unless it is given, because it is a request to another machine.
    pub time_authority: Option<String>,
}

/// What a call signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// Images that are signed now.
    pub signed: usize,
    /// Images that were signed before.
    pub before: usize,
    /// Files that are no generated images, such as photographs.
    pub others: usize,
}

/// Signs every PNG of a folder that dermagan generated, in its place: each file is signed or as it was. Its pixels and its text
/// stay. Files of others, photographs among them, are left alone and counted. `progress` receives the number of files done and
/// their number. The SHA-256 of all images is in `FOLDER.sha256` afterwards, for `sha256sum --check`.
///
/// # Errors
/// [`TrustError::Setting`] if a certificate, a key or the algorithm cannot be used; [`TrustError::Io`] if a file cannot be read or
/// written.
pub fn sign(job: &SignJob, progress: &mut dyn FnMut(usize, usize)) -> Result<Signed, TrustError> {
    let signer = signer(job)?;
    let files = files(&job.folder)?;
    let (mut signed, mut sums) = (Signed::default(), String::new());
    for (i, file) in files.iter().enumerate() {
        if stop_requested() {
            return Err(EvalError::Stopped.into());
        }
        let is_png = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        if !is_png || !is_generated(file).map_err(TrustError::io(file))? {
            signed.others += 1;
            continue;
        }
        let mut bytes = std::fs::read(file).map_err(TrustError::io(file))?;
        if has_statement(&bytes) {
            signed.before += 1;
        } else {
            bytes = signed_png(&*signer, file, &bytes)?;
            atomic::write(file, &bytes).map_err(TrustError::io(file))?;
            signed.signed += 1;
        }
        let shown = file.strip_prefix(job.folder.parent().unwrap_or(Path::new(""))).unwrap_or(file);
        // Writing to a string cannot fail.
        let _ = writeln!(sums, "{}  {}", hex(&Sha256::digest(&bytes)), shown.display());
        progress(i + 1, files.len());
    }
    if signed.signed + signed.before == 0 {
        let problem = "it holds no image that dermagan generated";
        return Err(SettingError::value("folder", job.folder.display(), problem).into());
    }
    let mut beside = job.folder.file_name().unwrap_or_default().to_owned();
    beside.push(".sha256");
    let beside = job.folder.with_file_name(beside);
    atomic::write(&beside, sums.as_bytes()).map_err(TrustError::io(beside))?;
    Ok(signed)
}

/// The signer of the job's files.
fn signer(job: &SignJob) -> Result<Box<dyn Signer>, TrustError> {
    let read = |path: &Path| std::fs::read(path).map_err(TrustError::io(path));
    let algorithm: SigningAlg = job.algorithm.parse().map_err(|_| {
        let problem = "expected es256, es384, es512, ps256, ps384, ps512 or ed25519";
        SettingError::value("algorithm", &job.algorithm, problem)
    })?;
    let (certificates, key) = (read(&job.certificates)?, read(&job.key)?);
    let found =
        create_signer::from_keys(&certificates, &key, algorithm, job.time_authority.clone());
    let refuse = |error: c2pa::Error| {
        let problem = format!(
            "{} with the key {} cannot sign by {}: {error}; expected a chain of certificates and a key in PEM",
            job.certificates.display(),
            job.key.display(),
            job.algorithm
        );
        SettingError::new("certificates", problem)
    };
    Ok(found.map_err(refuse)?)
}

/// All files in a folder and in its folders, in order. Links are not followed.
fn files(folder: &Path) -> Result<Vec<PathBuf>, TrustError> {
    let (mut open, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(TrustError::io(&folder))? {
            let entry = entry.map_err(TrustError::io(&folder))?;
            match entry.file_type().map_err(TrustError::io(entry.path()))? {
                kind if kind.is_dir() => open.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a PNG has a chunk with a statement.
fn has_statement(png: &[u8]) -> bool {
    let mut rest = png.get(8..).unwrap_or_default();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, kind @ ..] = *head;
        if kind == *CHUNK {
            return true;
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        rest = after.get(length.saturating_add(4)..).unwrap_or_default();
    }
    false
}

/// The PNG with a signed statement. The statement is read back: one that no program could verify is an error.
fn signed_png(signer: &dyn Signer, file: &Path, png: &[u8]) -> Result<Vec<u8>, TrustError> {
    let agent = json!({ "name": "dermagan", "version": env!("CARGO_PKG_VERSION") });
    let definition = json!({
        "claim_generator_info": [agent],
        "title": file.file_name().unwrap_or_default().to_string_lossy(),
        "format": "image/png",
        "assertions": [{
            "label": "c2pa.actions",
            "data": { "actions": [{
                "action": "c2pa.created",
                "digitalSourceType": SOURCE,
                "softwareAgent": agent,
                "parameters": { "description": format!(
                    "Synthetic image of a generative model, not for diagnosis. Written by {}.", producer()
                ) }
            }] }
        }]
    });
    let refuse = |error: c2pa::Error| {
        SettingError::new("certificates", format!("{} cannot be signed: {error}", file.display()))
    };
    let mut signed = Cursor::new(Vec::new());
    Builder::default()
        .with_definition(definition)
        .and_then(|mut builder| {
            builder.sign(signer, "image/png", &mut Cursor::new(png), &mut signed)
        })
        .map_err(refuse)?;
    let signed = signed.into_inner();
    let reader = Reader::from_context(Context::new())
        .with_stream("image/png", Cursor::new(&signed))
        .map_err(refuse)?;
    match reader.validation_state() {
        ValidationState::Invalid => {
            let problem = format!("the statement in {} could not be verified", file.display());
            Err(SettingError::new("certificates", problem).into())
        }
        _ => Ok(signed),
    }
}
