//! The example of crates/README.md: trains on a folder, then makes 16 melanomas.

use std::sync::atomic::AtomicBool;

use dermagan_generate::{FilesRequest, ImageGenerator, Selection};
use dermagan_model::ComputeDevice;
use dermagan_train::{TrainRequest, start};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = ComputeDevice::cpu();
    let stop = AtomicBool::new(false); // set it in another thread to stop with a checkpoint
    let request = TrainRequest { minutes: Some(80.0), ..TrainRequest::new("auto", "ham10000") };
    let outcome = start(&request, &device, &stop, &mut |event| println!("{event:?}"))?;
    let generator = ImageGenerator::open(&outcome.run.join("generator.safetensors"), device)?;
    let images = Selection { classes: vec!["mel".into()], ..Selection::first(16) };
    generator.write_files(&FilesRequest { images, out: "synthetic".into() }, &mut |_done| ())?;
    Ok(())
}
