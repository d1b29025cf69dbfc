//! `dermagan demo`: writes the page on which a generator draws images in the browser, or serves it on this machine.

use std::collections::BTreeSet;
use std::io::Write;

use dermagan_data::default_folder;
use dermagan_demo::{Page, Runtime, Server};
use dermagan_train::open_model;

use crate::args::DemoArgs;
use crate::exit;
use crate::show::{self, complain, say};

/// The folder of onnxruntime-web's files in that of prepared images, as `scripts/fetch-web-runtime` has it.
const RUNTIME: &str = "web-runtime";

/// Writes or serves the page; returns the exit code.
pub fn run(args: DemoArgs) -> anyhow::Result<u8> {
    let runtime = args.runtime.unwrap_or_else(|| default_folder().join(RUNTIME));
    let runtime = Runtime::open(&runtime)?;
    let (name, model) = open_model(args.model.as_deref(), args.outdir.as_deref())?;
    let mut models = vec![model];
    if let Some(against) = &args.against {
        models.push(open_model(Some(against), None)?.1);
    }
    models.iter().flat_map(|model| &model.notes).for_each(|note| complain!("note: {note}"));
    let licences = models.iter().filter_map(|model| Some(model.card.as_ref()?.licence.as_str()));
    let licences: BTreeSet<&str> = licences.collect();
    let licence = match licences.is_empty() {
        true => "unknown".to_owned(),
        false => licences.into_iter().collect::<Vec<_>>().join("; "),
    };
    let page = Page::new(models, &runtime)?;
    if let Some(out) = args.out {
        page.write(&out)?;
        let megabytes = page.bytes() as f64 / 1e6;
        say!(
            "a page that draws images of {name} in {}: {megabytes:.1} MB, licence of its data {licence}",
            out.display()
        );
        say!(
            "next: put the folder on a web server; to try it: python3 -m http.server --bind 127.0.0.1 -d {}",
            show::quoted(&out)
        );
        return Ok(0);
    }
    let server = Server::bind(page, args.port)?;
    let url = server.url();
    say!("{url} draws images of {name}; press Ctrl-C to stop");
    // A program that reads the address waits for it.
    let _ = std::io::stdout().flush();
    ctrlc::set_handler(|| {
        complain!("\nstopped: the page is no longer served");
        crate::leave(exit::INTERRUPTED);
    })?;
    if args.open
        && let Err(error) = open::that_detached(&url)
    {
        complain!("note: no browser was opened ({error}); open {url} yourself");
    }
    server.run()?;
    Ok(0)
}
