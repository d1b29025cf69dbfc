//! Options of `export` and `info`.

use std::path::PathBuf;

use clap::Args;

/// Options of `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Generator: a run's folder, a generator.safetensors, a checkpoint, a DCGAN in a PyTorch .pth or .safetensors,
    /// `latest` for the newest run, or `shipped` for the generator that comes with the program [default: latest if there
    /// is a run, else shipped].
    #[arg(value_name = "MODEL|RUN")]
    pub model: Option<PathBuf>,
    /// File to write, a .safetensors. An existing file is replaced only if it is a generator of dermagan.
    #[arg(long, default_value = "generator-half.safetensors", value_name = "FILE")]
    pub out: PathBuf,
    /// Keep single precision, 32 bits per weight.
    #[arg(long)]
    pub full: bool,
    /// Folder in which the newest run is looked for [default: runs].
    #[arg(long, value_name = "FOLDER")]
    pub outdir: Option<PathBuf>,
}

/// Options of `info`.
#[derive(Args, Debug)]
pub struct InfoArgs {
    /// A run's folder, a checkpoint, a model, a cache, `latest` for the newest run, or `shipped` for the generator that
    /// comes with the program.
    #[arg(value_name = "RUN|CHECKPOINT|MODEL|CACHE")]
    pub path: PathBuf,
    /// Folder in which `latest` is looked for [default: runs].
    #[arg(long, value_name = "FOLDER")]
    pub outdir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
