//! `dermagan export` and `dermagan info`.

use dermagan_train::{ExportFormat, ExportRequest, describe};

use crate::args::{ExportArgs, InfoArgs};
use crate::show::{self, complain, say};

/// Exports a generator; returns the exit code.
pub fn export(args: ExportArgs) -> anyhow::Result<u8> {
    let ExportArgs { model, out, torch, hub, class, float, full, outdir } = args;
    let (out, format) = match (torch, hub) {
        (Some(file), _) => (file, Some(ExportFormat::Torch)),
        (None, Some(folder)) => (folder, Some(ExportFormat::Hub)),
        (None, None) => (out, None),
    };
    let request = ExportRequest { model, outdir, out, format, full, class, float };
    let exported = dermagan_train::export(&request)?;
    exported.notes.iter().for_each(|note| complain!("note: {note}"));
    let (name, out) = (exported.name, request.out.display());
    match exported.format {
        ExportFormat::Torch => say!("a PyTorch module for {name} in {out}"),
        _ => say!(
            "{name} in {out}: {:.1} MB, licence of its data {}",
            exported.bytes as f64 / 1e6,
            exported.licence
        ),
    }
    Ok(0)
}

/// Describes a run, a checkpoint, a model or a cache; returns the exit code.
pub fn info(args: &InfoArgs) -> anyhow::Result<u8> {
    let value = describe(&args.path, args.outdir.as_deref())?;
    if args.json {
        show::json(&value)?;
        return Ok(0);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::String(text) => say!("{key:<16} {text}"),
            other => say!("{key:<16} {other}"),
        }
    }
    Ok(0)
}
