//! Options of `export` and `info`.

use std::path::PathBuf;

use clap::Args;

/// Options of `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Generator: a run's folder, a generator.safetensors, a checkpoint, a DCGAN in a PyTorch .pth or .safetensors,
    /// `latest` for the newest run, `shipped` for the generator that comes with the program, or `shipped128` for that of
    /// 128x128 images, a file of the repository [default: latest if there is a run, else shipped].
    #[arg(value_name = "MODEL|RUN")]
    pub model: Option<PathBuf>,
    /// File to write: .safetensors, the weights with the card; .onnx, a graph for ONNX Runtime and others; .py, as --torch.
    /// An existing file is replaced only if dermagan wrote it.
    ///
    /// The graph has the input z [batch, latents], float32 and standard normal: the latent followed by the noise. A
    /// class-conditional generator has a second input, label [batch], int64: the index of the class. The output is image
    /// [batch, 3, side, side], uint8. The images come without a random orientation: if the generator was trained with one
    /// (`turns` in the metadata), mirror and rotate each image at random.
    #[arg(long, default_value = "generator-half.safetensors", value_name = "FILE")]
    pub out: PathBuf,
    /// Write a Python file with a PyTorch module that loads the .safetensors of any generator.
    #[arg(long, value_name = "FILE.py", conflicts_with_all = ["out", "hub"])]
    pub torch: Option<PathBuf>,
    /// Write a folder for Hugging Face: a model card, config.json, grid.png, and the generator as .safetensors, .onnx and
    /// .py. dermagan opens the folder as a MODEL. It must be new, empty, or one that dermagan wrote and nobody changed.
    #[arg(long, value_name = "FOLDER", conflicts_with = "out")]
    pub hub: Option<PathBuf>,
    /// Fix the class of all images of an .onnx, such as mel; it then has no input label.
    #[arg(long, value_name = "CODE")]
    pub class: Option<String>,
    /// Let an .onnx give images of float32 in [-1, 1], not of uint8.
    #[arg(long)]
    pub float: bool,
    /// Keep single precision, 32 bits per weight. An .onnx always does.
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
