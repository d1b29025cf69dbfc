//! Options of `demo`.

use std::path::PathBuf;

use clap::Args;

/// Options of `demo`.
#[derive(Args, Debug)]
#[command(
    after_help = "The page computes the images in the browser, by WebGPU or on the CPU; nothing leaves the machine. It needs the files of \
                  onnxruntime-web, which scripts/fetch-web-runtime downloads once."
)]
pub struct DemoArgs {
    /// Generator: a run's folder, a generator.safetensors, a checkpoint, a DCGAN in a PyTorch .pth or .safetensors,
    /// `latest` for the newest run, `shipped` for the generator that comes with the program, or `shipped128` for that of
    /// 128x128 images, which is found in a checkout of the repository [default: latest if there is a run, else shipped].
    #[arg(value_name = "MODEL|RUN")]
    pub model: Option<PathBuf>,
    /// A second generator: the page then has a comparison, in which a viewer says which of two images looks more real.
    #[arg(long, value_name = "MODEL|RUN")]
    pub against: Option<PathBuf>,
    /// Write the page to a folder for any static server, such as GitHub Pages, and do not serve it. The folder must be new,
    /// empty, or one that this command wrote and nobody changed.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["port", "open"])]
    pub out: Option<PathBuf>,
    /// Port of 127.0.0.1 to serve the page on [default: 8764, or a free one if that is taken].
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Open the page in the browser of the system.
    #[arg(long)]
    pub open: bool,
    /// Folder with the files of onnxruntime-web [default: web-runtime in the folder DERMAGAN_CACHE, or in ~/.cache/dermagan].
    #[arg(long, value_name = "FOLDER")]
    pub runtime: Option<PathBuf>,
    /// Folder in which the newest run is looked for [default: runs].
    #[arg(long, value_name = "FOLDER")]
    pub outdir: Option<PathBuf>,
}
