//! Trains, resumes, samples and evaluates: `cargo run --release --example walkthrough -p dermagan-train`.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use dermagan_eval::EvalJob;
use dermagan_generate::{GridRequest, ImageGenerator};
use dermagan_model::ComputeDevice;
use dermagan_train::{ResumeRequest, TrainRequest, evaluate, resume, start};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (device, stop) = (ComputeDevice::cpu(), AtomicBool::new(false));
    let request = TrainRequest { kimg: Some(1.0), ..TrainRequest::new("tiny", "phantom:300") };
    let run = start(&request, &device, &stop, &mut |_| ())?.run;

    let more = ResumeRequest { kimg: Some(2.0), ..ResumeRequest::new(run.to_string_lossy()) };
    resume(&more, &device, &stop, &mut |_| ())?;

    let generator = ImageGenerator::open(&run.join("generator.safetensors"), device.clone())?;
    generator.write_grid(&GridRequest::new(8, 8), Path::new("grid.png"), &mut |_| ())?;

    let job = EvalJob { number: 100, ..EvalJob::new("phantom:300") };
    let found = evaluate(&job, &run, Path::new("runs"), &device, &mut |_| ())?;
    println!("{}: {}", run.display(), found.report.words);
    Ok(())
}
