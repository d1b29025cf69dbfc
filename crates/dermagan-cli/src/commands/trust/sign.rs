//! `dermagan sign`: content credentials.

use dermagan_trust::{SignJob, sign};

use crate::args::SignArgs;
use crate::show::{self, say};

/// Signs generated images; returns the exit code.
pub fn run(args: SignArgs) -> anyhow::Result<u8> {
    let job = SignJob {
        folder: args.folder,
        certificates: args.certificates,
        key: args.key,
        algorithm: args.algorithm,
        time_authority: args.time_authority,
    };
    let bar = show::bar(0, "signing {wide_bar} {pos}/{len} {eta}");
    let signed = sign(&job, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    say!(
        "signed {} images in {}; {} were signed before, {} other files were left alone",
        signed.signed,
        job.folder.display(),
        signed.before,
        signed.others
    );
    Ok(0)
}
