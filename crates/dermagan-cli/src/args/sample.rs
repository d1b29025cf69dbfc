//! Options of `sample`.

use std::path::PathBuf;

use clap::Args;

use super::device::DeviceArgs;
use super::format::FormatArg;
use super::share::ShareArgs;

/// Flags that conflict with `--interpolate`.
const NO_WALK: [&str; 4] = ["number", "seeds", "grid", "shard"];

/// Options of `sample`.
#[derive(Args, Debug)]
pub struct SampleArgs {
    /// Generator: a run's folder, a generator.safetensors, a checkpoint, a DCGAN in a PyTorch .pth or .safetensors,
    /// `latest` for the newest run, `shipped` for the generator that comes with the program, or `shipped128` for that of
    /// 128x128 images, a file of the repository [default: latest if there is a run, else shipped].
    #[arg(value_name = "MODEL|RUN")]
    pub model: Option<PathBuf>,
    /// Number of images, from the seeds 0 to N-1 [default: 64; with --grid, the number that fills it].
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "seeds")]
    pub number: Option<u64>,
    /// Seeds of the images, such as 0-63 or 1,5,9-12.
    #[arg(long, value_name = "SEEDS")]
    pub seeds: Option<String>,
    /// Classes to generate, such as mel or mel,df, or all; each seed is generated once per class [default: the seed
    /// decides]. With --grid, each class has its own rows, and the images of a column share a latent. With --interpolate,
    /// give one class for the whole walk or one per seed.
    #[arg(long, value_delimiter = ',', value_name = "CODES|all")]
    pub class: Vec<String>,
    /// Write one image with this number of columns and rows, such as 8x8; at most 10000 images.
    #[arg(long, value_name = "COLUMNSxROWS", conflicts_with = "shard")]
    pub grid: Option<String>,
    /// Write an animation: a walk through the latents of these seeds and back to the first, such as 0,5,9. A seed may
    /// occur more than once: 7,7 shows one latent in two classes. Every frame has the orientation of the first seed.
    #[arg(long, value_name = "SEEDS", conflicts_with_all = NO_WALK)]
    pub interpolate: Option<String>,
    /// Frames from one seed of a walk to the next, 1 to 240.
    #[arg(
        long,
        default_value_t = 24,
        value_name = "N",
        requires = "interpolate",
        conflicts_with_all = NO_WALK
    )]
    pub frames: usize,
    /// Enlargement of a walk's frames, 1 to 16: each pixel becomes a square of this side.
    #[arg(
        long,
        default_value_t = 4,
        value_name = "N",
        requires = "interpolate",
        conflicts_with_all = NO_WALK
    )]
    pub scale: usize,
    /// Format of the images as files [default: zip, webdataset or parquet if --out ends with .zip, .tar or .parquet, else
    /// folder]. The PNG of an image is the same in all of them.
    #[arg(long, value_enum, conflicts_with_all = ["grid", "interpolate"])]
    pub format: Option<FormatArg>,
    /// Largest number of images in each file of a folder in WebDataset or Parquet, 1 to 10000000 [default: 10000].
    #[arg(long, value_name = "N", conflicts_with_all = ["grid", "interpolate"])]
    pub images_per_file: Option<u64>,
    /// Output: a folder, or a file if the format has files; with --grid a .png file; with --interpolate a .gif (256 colours
    /// per frame), or an animated .png or .apng (all colours) [default: samples or samples.zip, grid.png or walk.gif]. A
    /// folder of PNG files must be new, empty, or hold images of the same model and seeds, which stay: after an interruption
    /// the same command makes those that are missing. In the other formats it makes all again.
    #[arg(long, value_name = "DIR|FILE")]
    pub out: Option<PathBuf>,
    /// Truncation psi, 0 to 100: 1 gives full variety, less gives images closer to the average. It does not reduce their
    /// grain.
    #[arg(
        long,
        alias = "truncation-psi",
        default_value_t = 1.0,
        value_name = "PSI",
        allow_hyphen_values = true
    )]
    pub trunc: f64,
    /// Images per batch, 1 to 4096. It affects speed and memory, never the images.
    #[arg(long, alias = "batch-size", default_value_t = 64)]
    pub batch: usize,
    /// Folder of runs whose newest one makes the images, instead of MODEL [default: runs].
    #[arg(long, value_name = "FOLDER")]
    pub outdir: Option<PathBuf>,
    #[command(flatten)]
    pub share: ShareArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}
