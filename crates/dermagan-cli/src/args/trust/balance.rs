//! Options of `balance`.

use std::path::PathBuf;

use clap::Args;

use crate::args::device::DeviceArgs;
use crate::args::reading::{ReadingArgs, SplitArg};
use crate::args::share::ShareArgs;

/// Options of `balance`.
#[derive(Args, Debug)]
pub struct BalanceArgs {
    /// The real images: any SOURCE that `prepare` accepts, or a cache that it wrote. The set gets its training side.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub data: String,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The split that decides which images count as training images [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split_by: Option<SplitArg>,
    /// The generator: a model, a checkpoint, a run, `latest` or `shipped`; it must be conditioned on classes [default: the
    /// newest run in runs/, else the generator that comes with the program].
    #[arg(long, value_name = "MODEL|RUN")]
    pub model: Option<PathBuf>,
    /// Images per class, real and generated together: a number, `max` for as many as the largest class has, or a multiple of
    /// the class's real images such as 1.5x. At most twice the real images unless --force.
    #[arg(long, default_value = "2x", value_name = "N|max|RATIO")]
    pub to: String,
    /// Fill these classes only, such as df,vasc.
    #[arg(long, value_delimiter = ',', value_name = "CLASSES")]
    pub only: Vec<String>,
    /// Allow more than twice the real images of a class.
    #[arg(long)]
    pub force: bool,
    /// Make images although the audit is void, as it is for small data.
    #[arg(long)]
    pub unaudited: bool,
    /// The new folder: images/, metadata.csv with the columns of HAM10000, croissant.json and passport.json.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The report of `dermagan audit --json` of this generator. Without it the generator is audited first, which takes a
    /// minute or two; --shard needs it, so that the audit is not repeated for every shard.
    #[arg(long, value_name = "FILE.json")]
    pub audit: Option<PathBuf>,
    #[command(flatten)]
    pub share: ShareArgs,
    /// Seed from which the seed of every image is drawn.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
}
