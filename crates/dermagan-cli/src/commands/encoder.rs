//! `dermagan encoder train`: trains a lesion encoder.

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Context, ensure};
use dermagan_base::atomic;
use dermagan_data::{Cache, Filter, Fit, Options, open_or_prepare};
use dermagan_eval::encoder::{CARD_TITLE, SIDE};
use dermagan_model::device;
use dermagan_train::encoder::{self, EncoderConfig, EncoderEvent};
use indicatif::ProgressBar;

use crate::args::EncoderTrainArgs;
use crate::commands::train::stop_flag;
use crate::show::{self, say};

/// Trains an encoder and writes it with its model card; returns the exit code.
pub fn train(args: &EncoderTrainArgs) -> anyhow::Result<u8> {
    ensure!((1..=128).contains(&args.width), "--width {}: expected 1 to 128", args.width);
    ensure!(args.kimg.is_finite() && args.kimg > 0.0, "--kimg {}: expected more than 0", args.kimg);
    let device = device::select(&args.device.device)?;
    let cache = prepared(&args.data)?;
    let (file, card) = (args.out.join("encoder.safetensors"), args.out.join("README.md"));
    // Checked before the expensive part.
    check_card(&card)?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create the folder {}", args.out.display()))?;
    let config = EncoderConfig {
        width: args.width,
        kimg: args.kimg,
        seed: args.seed,
        ..EncoderConfig::default()
    };
    say!("training a lesion encoder on {} ({})", cache.header().name, device.name);
    let stop = stop_flag()?;
    let bar = show::bar(0, "{wide_bar} {pos}/{len} images {eta} {msg}");
    let go_on = || !stop.load(Ordering::Relaxed);
    let trained =
        encoder::train(&cache, &config, &device, &go_on, &mut |event| progress(&bar, event));
    bar.finish_and_clear();
    let trained = trained?;
    for (path, bytes) in [(&file, &trained.bytes[..]), (&card, trained.card.to_string().as_bytes())]
    {
        atomic::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let test = &trained.card.test;
    say!(
        "balanced accuracy {:.1} % ({:.1} to {:.1}) on {} images of unseen lesions",
        100.0 * test.balanced_accuracy,
        100.0 * test.interval[0],
        100.0 * test.interval[1],
        test.images
    );
    say!("use it with: dermagan eval --weights {}", file.display());
    Ok(0)
}

/// Opens or prepares the training images, with a progress bar.
fn prepared(data: &str) -> anyhow::Result<Cache> {
    let options = Options { size: SIDE as u32, fit: Fit::Crop, filter: Filter::Lanczos };
    let bar = show::bar(0, "preparing {wide_bar} {pos}/{len} {eta}");
    let cache = open_or_prepare(data, options, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    Ok(cache)
}

/// Refuses to overwrite a README.md that is not the model card of an encoder.
fn check_card(card: &Path) -> anyhow::Result<()> {
    let Ok(text) = std::fs::read_to_string(card) else { return Ok(()) };
    ensure!(
        text.starts_with(CARD_TITLE),
        "{} exists and is not the card of an encoder; choose another folder with --out",
        card.display()
    );
    Ok(())
}

/// Shows an event on the progress bar, or as a line.
fn progress(bar: &ProgressBar, event: EncoderEvent) {
    match event {
        EncoderEvent::Progress { nimg, of, loss } => {
            bar.set_length(of);
            bar.set_position(nimg);
            bar.set_message(format!("loss {loss:.3}"));
            if bar.is_hidden() {
                say!("{:7.1} kimg  loss {loss:.3}", nimg as f64 / 1000.0);
            }
        }
        EncoderEvent::Validated { nimg, balanced_accuracy, best } => bar.suspend(|| {
            say!(
                "{:7.1} kimg  balanced accuracy {:.1} % on the validation side{}",
                nimg as f64 / 1000.0,
                100.0 * balanced_accuracy,
                if best { ", the best so far" } else { "" }
            );
        }),
    }
}
