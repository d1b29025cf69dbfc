//! `dermagan encoder train`.

use dermagan_train::{EncoderConfig, EncoderEvent, EncoderRequest, train_encoder};
use indicatif::ProgressBar;

use crate::args::EncoderTrainArgs;
use crate::commands::select;
use crate::commands::stop::Stop;
use crate::show::{self, say};

/// Trains an encoder and writes it with its model card; returns the exit code.
pub fn train(args: &EncoderTrainArgs) -> anyhow::Result<u8> {
    let config = EncoderConfig {
        width: args.width,
        kimg: args.kimg,
        seed: args.seed,
        ..EncoderConfig::default()
    };
    let request = EncoderRequest {
        data: args.data.clone(),
        size: args.size,
        reading: args.reading.reading(args.split),
        out: args.out.clone(),
        config,
    };
    let device = select(&args.device)?;
    say!("training a lesion encoder on {} ({})", args.data, device.name);
    let stop = Stop::new("stopping after this step; nothing is written");
    stop.listen()?;
    let bar = show::bar(0, "{wide_bar} {pos}/{len} images {eta} {msg}");
    let trained = train_encoder(&request, &device, stop.flag(), &mut |event| progress(&bar, event));
    bar.finish_and_clear();
    let trained = trained?;
    let test = &trained.card.test;
    say!(
        "balanced accuracy {:.1} % ({:.1} to {:.1}) on {} images of unseen lesions",
        100.0 * test.balanced_accuracy,
        100.0 * test.interval[0],
        100.0 * test.interval[1],
        test.images
    );
    say!("use it with: dermagan eval --weights {}", trained.weights.display());
    Ok(0)
}

/// Shows an event on the progress bar, or as a line.
fn progress(bar: &ProgressBar, event: EncoderEvent) {
    match event {
        EncoderEvent::Preparing { done, total } => {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message("preparing");
        }
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
        _ => {}
    }
}
