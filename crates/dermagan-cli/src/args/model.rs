//! Options of `export` and `info`.

use std::path::PathBuf;

use clap::Args;

/// Options of `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Generator: a run's folder, a generator.safetensors, a PyTorch .pth, `latest` for the newest run, or `shipped`
    /// for the generator that comes with the program [default: latest if there is a run, else shipped].
    #[arg(value_name = "MODEL|RUN")]
    pub model: Option<PathBuf>,
    /// File to write.
    #[arg(long, default_value = "generator-half.safetensors", value_name = "FILE")]
    pub out: PathBuf,
    /// Keep single precision, 32 bits per weight.
    #[arg(long)]
    pub full: bool,
    /// Folder in which the newest run is looked for.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
}

/// Options of `info`.
#[derive(Args, Debug)]
pub struct InfoArgs {
    /// A run's folder, a checkpoint, a model, a cache, `latest` for the newest run, or `shipped` for the generator that
    /// comes with the program.
    #[arg(value_name = "RUN|CHECKPOINT|MODEL|CACHE")]
    pub path: PathBuf,
    /// Folder in which `latest` is looked for.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
