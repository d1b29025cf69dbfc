//! The command line, under the names that users of StyleGAN and DCGAN know.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dermagan_data::Fit;
use dermagan_model::{Choice, PrecisionChoice};
use dermagan_train::encoder::EncoderConfig;
use dermagan_train::metrics::Metric;

/// Train GANs on dermatoscopic skin-lesion images, on any GPU or on the CPU.
#[derive(Parser, Debug)]
#[command(
    name = "dermagan",
    version,
    after_help = "Exit codes: 0 done · 1 error · 2 a command line that cannot be read · 3 --strict refused the data · \
                  4 training broke down (loss not finite) · 5 a device computes wrongly · \
                  130 stopped by Ctrl-C, checkpoint written"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Decode and resize a data source once, into a cache file that training maps into memory.
    Prepare(PrepareArgs),
    /// Look at a data source.
    #[command(subcommand)]
    Data(DataCommand),
    /// Train; without arguments, on the built-in phantom images.
    Train(TrainArgs),
    /// Make images: files named by seed with a metadata.csv, or a grid.
    Sample(SampleArgs),
    /// Write a generator with its card to a file for others, in half precision.
    Export(ExportArgs),
    /// Describe a run, a checkpoint, a model or a cache.
    Info(InfoArgs),
    /// List the devices that --device can name, and the CPU's levels that DERMAGAN_CPU can name.
    Devices,
    /// Compare one training step's gradients on a device with the CPU's; on the CPU, two of its levels.
    Doctor(DoctorArgs),
    /// Measure generated images against real ones: KID, FID, precision, recall, density, coverage.
    Eval(EvalArgs),
    /// The classifier whose features `eval` compares images by.
    #[command(subcommand)]
    Encoder(EncoderCommand),
    /// Measure how fast a device trains or samples.
    Bench(BenchArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

const SOURCE_HELP: &str = "HAM10000 as a folder or zip (Kaggle, Dataverse, or all images in one folder), ISIC 2018 task 3, \
                           one folder per class, a dermamnist .npz, or `phantom`";

/// Options of `prepare`.
#[derive(Args, Debug)]
pub struct PrepareArgs {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub source: String,
    /// The cache file [default: a name of its own in the cache folder, which `train` looks in].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Side of the images in pixels.
    #[arg(long, default_value_t = 64)]
    pub size: u32,
    /// How a photograph becomes square.
    #[arg(long, value_enum, default_value_t = FitArg::Crop)]
    pub fit: FitArg,
    /// Filter of the resize; both are antialiased.
    #[arg(long, value_enum, default_value_t = FilterArg::Lanczos)]
    pub filter: FilterArg,
    /// Fail if anything is wrong with the source, instead of leaving it out.
    #[arg(long)]
    pub strict: bool,
}

/// How a photograph becomes square.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum FitArg {
    /// The largest square from the centre.
    Crop,
    /// The whole image between black bars.
    Pad,
    /// The whole image, its sides scaled apart.
    Squash,
}

impl From<FitArg> for Fit {
    fn from(fit: FitArg) -> Self {
        match fit {
            FitArg::Crop => Self::Crop,
            FitArg::Pad => Self::Pad,
            FitArg::Squash => Self::Squash,
        }
    }
}

/// Filter of the resize.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum FilterArg {
    /// Three lobes: sharpest.
    Lanczos,
    /// What Pillow and torchvision do.
    Bilinear,
}

impl From<FilterArg> for dermagan_data::Filter {
    fn from(filter: FilterArg) -> Self {
        match filter {
            FilterArg::Lanczos => Self::Lanczos,
            FilterArg::Bilinear => Self::Bilinear,
        }
    }
}

/// Looking at data.
#[derive(Subcommand, Debug)]
pub enum DataCommand {
    /// Counts by class, sex, age, site, confirmation type, lesions and image sizes.
    Info(DataInfoArgs),
}

/// Options of `data info`.
#[derive(Args, Debug)]
pub struct DataInfoArgs {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub source: String,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Also write an image with one row of examples per class.
    #[arg(long, value_name = "FILE.png")]
    pub grid: Option<PathBuf>,
}

/// Options of `train`.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// The images: any SOURCE, or a cache that `prepare` made [default: phantom].
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub data: Option<String>,
    /// Where runs go; each gets a numbered folder.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// A preset from models/: reference, fast, rare, best, notebook or tiny, or a FILE.toml of one's
    /// own [default: reference].
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub preset: Option<String>,
    /// Change one setting of the preset, such as objective.r1=0.1; may be given again and again. A flag of
    /// its own, such as --batch, comes after it.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Side of the images: 32, 64 or 128 [default: the preset's].
    #[arg(long)]
    pub size: Option<usize>,
    /// Images a step [default: the preset's].
    #[arg(long, alias = "batch-size")]
    pub batch: Option<usize>,
    /// Channels of both networks' narrowest layer [default: the preset's].
    #[arg(long)]
    pub width: Option<usize>,
    /// Adam's learning rate, one for the whole run [default: the preset's, which may fall].
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,
    /// Length, in thousands of images [default: the preset's]. Settings that change over a run, as the
    /// learning rate of fast and rare does, do so over the length that it begins with: a run that is made
    /// longer later keeps their last values.
    #[arg(long)]
    pub kimg: Option<f64>,
    /// Length, as many images as fit into so much training time here: some steps are timed first.
    #[arg(long, value_name = "N", conflicts_with = "kimg", allow_hyphen_values = true)]
    pub minutes: Option<f64>,
    /// Images and a checkpoint every so many thousand images [default: the preset's].
    #[arg(long, value_name = "KIMG")]
    pub snap: Option<f64>,
    /// A line of stats.jsonl every so many thousand images [default: the preset's].
    #[arg(long, value_name = "KIMG")]
    pub tick: Option<f64>,
    /// Seed of every random number [default: 0].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Mirror half of the images.
    #[arg(long)]
    pub mirror: bool,
    /// Turn images by quarter turns: lesions have no up.
    #[arg(long)]
    pub quarter_turns: bool,
    /// Draw every class equally often.
    #[arg(long)]
    pub balanced: bool,
    /// Train on all images, not only on the training side of the split.
    #[arg(long)]
    pub all_images: bool,
    /// Train on these classes only, such as mel,nv.
    #[arg(long, value_delimiter = ',', value_name = "CODES")]
    pub classes: Vec<String>,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Numbers that convolutions multiply: f32, bf16 (CPUs; emulated, and slower than f32, without AVX-512 BF16
    /// or AMX), f16 (GPUs), or auto for the fastest that the device has [default: the preset's].
    #[arg(long)]
    pub precision: Option<PrecisionChoice>,
    /// Continue: `latest`, a run's folder, or a checkpoint. --kimg may ask for more than before.
    #[arg(long, value_name = "latest|PATH")]
    pub resume: Option<String>,
    /// Measure every snapshot, such as kid,fid, and keep the best by kid, or by fid without it. Of kid,
    /// fid, pr (precision and recall) and dc (density and coverage); none for a resumed run to stop.
    #[arg(long, value_delimiter = ',', value_name = "METRICS", value_parser = metric)]
    pub metrics: Vec<Option<Metric>>,
    /// Checkpoints to keep, the newest; 0 keeps all [default: 3].
    #[arg(long)]
    pub keep: Option<usize>,
    /// Train on a GPU without checking its gradients against the CPU's.
    #[arg(long)]
    pub no_self_check: bool,
    /// Show what would be done, and stop before doing it.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// A metric by its name, or `none`.
fn metric(text: &str) -> Result<Option<Metric>, String> {
    match text.trim().eq_ignore_ascii_case("none") {
        true => Ok(None),
        false => text.parse().map(Some),
    }
}

/// Which device.
#[derive(Args, Debug)]
pub struct DeviceArgs {
    /// auto (the first real GPU, else the CPU), cpu, gpu, gpu:1, or software (tests only).
    #[arg(long, default_value = "auto")]
    pub device: Choice,
}

/// Options of `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Compute the step N times in this process, and compare each with the CPU.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub repeat: usize,
    /// Examine the step of this preset instead of two small test networks.
    #[arg(long)]
    pub preset: Option<String>,
    /// Images per step [default: the preset's].
    #[arg(long, requires = "preset")]
    pub batch: Option<usize>,
    /// Side of the images in pixels: 32, 64 or 128 [default: the preset's].
    #[arg(long, requires = "preset")]
    pub size: Option<usize>,
    /// Width of both networks [default: the preset's].
    #[arg(long, requires = "preset")]
    pub width: Option<usize>,
}

/// What makes images, and no walk through latents.
const NO_WALK: [&str; 3] = ["number", "seeds", "grid"];

/// Options of `sample`.
#[derive(Args, Debug)]
pub struct SampleArgs {
    /// A run's folder, a generator.safetensors, or a PyTorch .pth; `latest` for the newest run, `shipped`
    /// for the generator that comes with the program [default: the first of these two that there is].
    #[arg(value_name = "MODEL|RUN")]
    pub model: Option<PathBuf>,
    /// How many images: seeds 0 to N-1.
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "seeds")]
    pub number: Option<u64>,
    /// Which images, such as 0-63 or 1,5,9-12.
    #[arg(long, value_name = "SEEDS")]
    pub seeds: Option<String>,
    /// Of which classes, such as mel or mel,df, or all: every seed once of each. With --grid every class
    /// has rows of its own, and the columns share their latents; with --interpolate one for the whole
    /// walk, or one for each seed [default: the seeds decide].
    #[arg(long, value_delimiter = ',', value_name = "CODES|all")]
    pub class: Vec<String>,
    /// One image with COLUMNSxROWS of them.
    #[arg(long, value_name = "8x8")]
    pub grid: Option<String>,
    /// An animation instead: a walk through the latents of these seeds and back to the first, such as
    /// 0,5,9. A seed may come again, such as 7,7 for one latent under two classes. All of it is laid as
    /// the first seed's image.
    #[arg(long, value_name = "SEEDS", conflicts_with_all = NO_WALK)]
    pub interpolate: Option<String>,
    /// Frames from one seed of a walk to the next.
    #[arg(
        long,
        default_value_t = 24,
        value_name = "N",
        requires = "interpolate",
        conflicts_with_all = NO_WALK
    )]
    pub frames: usize,
    /// Side of the square that each pixel of a walk is shown as.
    #[arg(
        long,
        default_value_t = 4,
        value_name = "N",
        requires = "interpolate",
        conflicts_with_all = NO_WALK
    )]
    pub scale: usize,
    /// A folder, or with --grid a .png file, or with --interpolate a .gif (256 colours a frame) or an
    /// animated .png or .apng (every colour) [default: samples, grid.png, or walk.gif].
    #[arg(long, value_name = "DIR|FILE")]
    pub out: Option<PathBuf>,
    /// Truncation psi: 1 for full variety, less for images closer to the average; their grain stays.
    #[arg(
        long,
        alias = "truncation-psi",
        default_value_t = 1.0,
        value_name = "PSI",
        allow_hyphen_values = true
    )]
    pub trunc: f64,
    /// Images computed at a time; changes speed and memory, never the images.
    #[arg(long, alias = "batch-size", default_value_t = 64)]
    pub batch: usize,
    /// Where runs are, for the newest.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// Options of `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// A run's folder, a generator.safetensors, or a PyTorch .pth; `latest` for the newest run, `shipped`
    /// for the generator that comes with the program [default: the first of these two that there is].
    #[arg(value_name = "MODEL|RUN")]
    pub model: Option<PathBuf>,
    /// The file.
    #[arg(long, default_value = "generator-half.safetensors", value_name = "FILE")]
    pub out: PathBuf,
    /// Keep all 32 bits.
    #[arg(long)]
    pub full: bool,
    /// Where runs are, for the newest.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
}

/// What images are compared by.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeaturesArg {
    /// The lesion encoder, which comes with the program.
    Lesion,
    /// InceptionV3 as FID defines it; for `eval` with --weights FILE.
    Inception,
    /// Colour, asymmetry, border, size and texture, without a network.
    Handmade,
}

/// A side of the split by lesion.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideArg {
    /// What `train` learns from: 80 %.
    Train,
    /// 10 %.
    Val,
    /// 10 %, for the last word.
    Test,
    /// All images.
    All,
}

/// Options of `eval`.
#[derive(Args, Debug)]
pub struct EvalArgs {
    /// The real images: any SOURCE, or a cache that `prepare` made.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub real: String,
    /// The generated ones: a folder of images, a model, a checkpoint or a run; `latest` for the newest
    /// run, `shipped` for the generator that comes with the program.
    #[arg(long, value_name = "FOLDER|MODEL|RUN")]
    pub fake: PathBuf,
    /// Where runs are, for --fake latest.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// What they are compared by.
    #[arg(long, value_enum, default_value_t = FeaturesArg::Lesion)]
    pub features: FeaturesArg,
    /// Weights of the network: an encoder that `encoder train` made, or pytorch-fid's InceptionV3.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Images in each set. Real ones are needed twice over.
    #[arg(short = 'n', long, default_value_t = 2048)]
    pub number: usize,
    /// Real images of this side of the split.
    #[arg(long, value_enum, default_value_t = SideArg::Train)]
    pub split: SideArg,
    /// Also by class; with labels a second KID, and an MMD to compare classes by, take both halves of a
    /// class's real images together.
    #[arg(long)]
    pub per_class: bool,
    /// Another choice of real images and of a generator's seeds.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Also write the features, for numpy.load: arrays `real` and `fake`.
    #[arg(long, value_name = "FILE.npz")]
    pub save_features: Option<PathBuf>,
    /// Also write an image: some generated images of each class, each with the nearest real
    /// training image at its right. Shows real images: mind their licence.
    #[arg(long, value_name = "FILE.png")]
    pub nearest: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// The lesion encoder.
#[derive(Subcommand, Debug)]
pub enum EncoderCommand {
    /// Train one on the training side of the split, and score it on lesions that it never saw.
    Train(EncoderTrainArgs),
}

/// Options of `encoder train`.
#[derive(Args, Debug)]
pub struct EncoderTrainArgs {
    /// The images: any SOURCE with classes, or a cache of 64-pixel images.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub data: String,
    /// Where encoder.safetensors and its card README.md go.
    #[arg(long, default_value = "lesion-encoder", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Length, in thousands of images.
    #[arg(long, default_value_t = EncoderConfig::default().kimg)]
    pub kimg: f64,
    /// Channels of the first layer; each after it has twice as many.
    #[arg(long, default_value_t = EncoderConfig::default().width)]
    pub width: usize,
    /// Seed of every random number.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// What `bench` measures.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenchWhat {
    /// Training steps.
    Step,
    /// Images from a generator.
    Sample,
    /// Features of images, as `eval` computes them.
    Features,
}

/// Options of `bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, default_value_t = BenchWhat::Step)]
    pub what: BenchWhat,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Numbers that convolutions multiply: f32, bf16, f16 or auto.
    #[arg(long, default_value = "f32")]
    pub precision: PrecisionChoice,
    /// Preset of the networks and the step [default: reference; with --count all of them].
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub preset: Option<String>,
    /// Which features, for `bench features` [default: lesion]. `inception` gets random weights; they take
    /// equally long.
    #[arg(long, value_enum)]
    pub features: Option<FeaturesArg>,
    /// Images per step or batch [default: the preset's; 64 for features].
    #[arg(long)]
    pub batch: Option<usize>,
    /// Channels of both networks' narrowest layer [default: the preset's].
    #[arg(long)]
    pub width: Option<usize>,
    /// Side of the images: 32, 64 or 128 [default: the preset's].
    #[arg(long)]
    pub size: Option<usize>,
    /// Instead of the time, count what a step of a run asks of a GPU: kernel launches, transfers, waits. The counts
    /// are those of every card, also on --device software.
    #[arg(long, conflicts_with_all = ["features", "rounds", "warm_up"])]
    pub count: bool,
    /// Measured rounds.
    #[arg(long, default_value_t = 7)]
    pub rounds: usize,
    /// Rounds before those, which warm caches up.
    #[arg(long, default_value_t = 2)]
    pub warm_up: usize,
    /// A line of JSON for every round, as it ends, and one at the end.
    #[arg(long)]
    pub json: bool,
}

/// Options of `info`.
#[derive(Args, Debug)]
pub struct InfoArgs {
    /// A run's folder, a checkpoint, a model or a cache; `latest` for the newest run, `shipped` for the
    /// generator that comes with the program.
    #[arg(value_name = "RUN|CHECKPOINT|MODEL|CACHE")]
    pub path: PathBuf,
    /// Where runs are, for `latest`.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}
