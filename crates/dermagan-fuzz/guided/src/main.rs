//! Searches for inputs with libFuzzer: `scripts/fuzz TARGET` builds and runs it. The variable FUZZ_TARGET names the
//! target; the command line is libFuzzer's.
#![no_main]

use std::cell::RefCell;
use std::sync::OnceLock;

use dermagan_fuzz::mutate::mutate;
use dermagan_fuzz::{Scratch, Target, Trial, targets};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};

thread_local! {
    static SCRATCH: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        targets::find(&name).unwrap_or_else(|| {
            let names: Vec<&str> =
                dermagan_fuzz::TARGETS.iter().map(|target| target.name).collect();
            eprintln!("FUZZ_TARGET={name}: no such target; expected one of {}", names.join(", "));
            std::process::exit(2)
        })
    })
}

fuzz_target!(
    init: {
        // libFuzzer's hook ends the process at every panic, also at one of an image decoder that dermagan catches.
        std::panic::set_hook(Box::new(|_| ()));
    },
    |input: &[u8]| -> Corpus {
        SCRATCH.with_borrow_mut(|scratch| {
            let scratch = scratch.get_or_insert_with(|| {
                Scratch::new(target().name).expect("a folder for the inputs")
            });
            if let Err(what) = Trial::run(target(), scratch, input) {
                eprintln!("{}: {what}", target().name);
                std::process::abort();
            }
        });
        Corpus::Keep
    }
);

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let max = max_size.min(target().longest.max(size)).min(data.len());
    let mut plain = |buffer: &mut [u8], length: usize| {
        let max = buffer.len();
        fuzzer_mutate(buffer, length, max)
    };
    mutate(target().shape, &mut data[..max], size, seed, &mut plain)
});
