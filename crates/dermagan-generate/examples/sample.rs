//! Makes images with a generator: `cargo run --release --example sample -p dermagan-generate [MODEL]`.

use std::path::Path;

use dermagan_generate::{FilesRequest, GridRequest, ImageGenerator, Selection};
use dermagan_model::{Choice, device};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = device::select(&Choice::Auto)?;
    let generator = match std::env::args().nth(1) {
        Some(path) => ImageGenerator::open(Path::new(&path), device)?,
        None => ImageGenerator::shipped(device)?,
    };
    // In memory: 8-bit RGB, row by row.
    let images = generator.images(&Selection::first(4))?;
    println!("{} images of {}x{} pixels", images.len(), images[0].width, images[0].height);
    // As files with a table, and as a grid with one row per class.
    let request = FilesRequest { images: Selection::first(16), out: "samples".into() };
    generator.write_files(&request, &mut |done| println!("{done} files"))?;
    let classes = generator.model().card.as_ref().map_or(0, |_| generator.model().config.classes);
    let all = if classes > 0 { vec!["all".to_owned()] } else { Vec::new() };
    let grid = GridRequest { classes: all, ..GridRequest::new(8, classes.max(1)) };
    generator.write_grid(&grid, Path::new("grid.png"), &mut |_| ())?;
    Ok(())
}
