//! Trains a small GAN, then goes on with it: `cargo run --release --example train -p dermagan-train`.

use std::sync::atomic::AtomicBool;

use dermagan_model::{Choice, device};
use dermagan_train::{Event, ResumeRequest, TrainRequest, resume, start};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = std::env::args().nth(1).unwrap_or_else(|| "phantom".into());
    let device = device::select(&Choice::Auto)?;
    // Another thread may set it: the run then writes a checkpoint and ends.
    let stop = AtomicBool::new(false);
    let mut show = |event| match event {
        Event::Tick(line) => println!("{}", line["Progress/kimg"]["mean"]),
        Event::Snapshot { grid, .. } => println!("{}", grid.display()),
        Event::Warning(words) => eprintln!("warning: {words}"),
        _ => {}
    };
    let request = TrainRequest { kimg: Some(2.0), ..TrainRequest::new("tiny", &data) };
    let first = start(&request, &device, &stop, &mut show)?;
    let more = ResumeRequest { kimg: Some(4.0), ..ResumeRequest::new(first.run.to_string_lossy()) };
    let second = resume(&more, &device, &stop, &mut show)?;
    println!("{} images seen, in {}", second.nimg, second.run.display());
    Ok(())
}
