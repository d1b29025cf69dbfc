//! Generators in files of other programs are found by their shapes, and a file without one is refused with
//! what it holds and what to do.

mod torch_file;

use std::path::PathBuf;

use burn::tensor::Device;
use dermagan_model::weights::{Array, Weights, to_safetensors};
use dermagan_model::{Init, ModelConfig, ModelFile, Network};
use torch_file::{Py, adam, dict, state, stored_zip, torch_file, zeros};

const SMALL: ModelConfig = ModelConfig {
    backbone: dermagan_model::Backbone::Dcgan,
    classes: 0,
    resolution: 64,
    z_dim: 16,
    noise: false,
    g_width: 4,
    d_width: 4,
    projected: false,
};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn open(&self, root: &Py) -> Result<ModelFile, String> {
        ModelFile::open(&self.write("ckpt.pth", &torch_file(root))).map_err(|e| e.to_string())
    }

    /// Why the file is refused.
    fn refused(&self, root: &Py) -> String {
        match self.open(root) {
            Ok(model) => panic!("it was opened: {:?} {:?}", model.config, model.notes),
            Err(error) => error,
        }
    }
}

fn generator(seed: u64) -> Weights {
    of(SMALL, seed)
}

fn of(config: ModelConfig, seed: u64) -> Weights {
    Init::Pytorch.generator(&config, seed, &Device::flex()).to_weights()
}

fn own(name: &str) -> String {
    name.to_owned()
}

/// A discriminator whose every convolution but the last has a normalisation.
fn discriminator(last: usize) -> Weights {
    let mut weights = Weights::new();
    let mut add = |name: String, shape: Vec<usize>| {
        let values = vec![0.5; shape.iter().product()];
        weights.insert(name, Array { shape, values });
    };
    for (i, [to, from]) in [[4, 3], [8, 4], [16, 8], [32, 16], [last, 32]].into_iter().enumerate() {
        add(format!("main.{}.weight", 3 * i), vec![to, from, 4, 4]);
        if i < 4 {
            for leaf in ["weight", "bias", "running_mean", "running_var"] {
                add(format!("main.{}.{leaf}", 3 * i + 1), vec![to]);
            }
        }
    }
    weights
}

#[test]
fn a_generator_is_found_in_nested_dictionaries_by_its_shapes() {
    let desk = Desk::new();
    let weights = generator(7);
    let g = || state(&weights, own);
    let d = || state(&discriminator(1), own);
    let wrapped = |prefix: &str| state(&weights, |name| format!("{prefix}.{name}"));
    let nested = (0..40).fold(g(), |inner, _| dict([("inner", inner)]));
    let parts = |generator| {
        dict([("state_dict", generator), ("epoch", Py::Int(3)), ("loss", Py::Float(0.5))])
    };
    for (root, used) in [
        (g(), None),
        (wrapped("module"), None),
        (wrapped("_orig_mod.module"), None),
        (
            dict([("epoch", Py::Int(24)), ("netG", g()), ("netD", d()), ("optimG", adam())]),
            Some("'netG'"),
        ),
        (dict([("model_state_dict", g()), ("optimizer_state_dict", adam())]), None),
        (dict([("state_dict", g()), ("optimizer", adam())]), None),
        (parts(wrapped("generator")), None),
        (dict([("nets", Py::List(vec![d(), g()]))]), Some("'nets.1'")),
        (dict([("params_ema", g()), ("decay", zeros(&[]))]), None),
        (nested, None),
    ] {
        let model = desk.open(&root).unwrap();
        assert_eq!((model.config, &model.weights), (SMALL, &weights));
        let note = model.notes.first().map(String::as_str);
        match used {
            Some(used) => assert!(note.unwrap().contains(used), "{note:?}"),
            None => assert_eq!(note, None),
        }
    }
}

#[test]
fn the_names_of_layers_do_not_matter_and_each_resolution_is_found() {
    let desk = Desk::new();
    for resolution in [32, 64, 128, 256] {
        let config = ModelConfig { resolution, ..SMALL };
        let weights = of(config, 3);
        let last = resolution.trailing_zeros() as usize - 2;
        // As blocks of a convolution and its normalisation, and as flat names without a dot for the layer.
        let place = |name: &str| {
            let parts: Vec<&str> = name.split('.').collect();
            (parts[1].parse::<usize>().unwrap(), parts[2].to_owned())
        };
        let blocks = |name: &str| {
            let (index, leaf) = place(name);
            let block =
                if index / 3 == last { "out".to_owned() } else { format!("conv{}", index / 3 + 1) };
            format!("{block}.{}.{leaf}", index % 3)
        };
        let flat = |name: &str| {
            let (index, leaf) = place(name);
            format!("{}{}_{leaf}", ["tconv", "bn"][index % 3], index / 3 + 1)
        };
        for root in [state(&weights, blocks), state(&weights, flat)] {
            let model = desk.open(&root).unwrap();
            assert_eq!((model.config, model.weights), (config, weights.clone()));
        }
    }
}

#[test]
fn of_a_generator_and_its_average_the_average_is_used_and_the_note_says_so() {
    let desk = Desk::new();
    let (live, average) = (generator(1), generator(2));
    for name in ["g_ema", "generator_ema", "ema", "netG_avg", "params_ema", "g_running", "Gema"] {
        let root =
            Py::Dict(vec![("netG".into(), state(&live, own)), (name.into(), state(&average, own))]);
        let model = desk.open(&root).unwrap();
        assert_eq!(model.weights, average, "{name}");
        assert!(model.notes[0].contains(&format!("'{name}' was used")), "{}", model.notes[0]);
        assert!(model.notes[0].contains("not 'netG'"), "{}", model.notes[0]);
    }
}

#[test]
fn several_generators_are_listed_with_the_python_that_takes_one_out() {
    let desk = Desk::new();
    let root = dict([("netG_A", state(&generator(1), own)), ("netG_B", state(&generator(2), own))]);
    let error = desk.refused(&root);
    assert!(error.contains("2 generators ('netG_A', 'netG_B')"), "{error}");
    let path = desk.0.path().join("ckpt.pth").display().to_string();
    let load = format!(
        "import torch; s = torch.load(\"{path}\", map_location=\"cpu\", weights_only=True)\n"
    );
    assert!(error.contains(&load), "{error}");
    assert!(error.contains("torch.save(s[\"netG_A\"], \"netG_A.pth\")"), "{error}");
    // Within one dictionary the names of its tensors begin with those of the networks.
    let mut both = generator(1);
    for (name, array) in generator(2) {
        both.insert(format!("gen_b.{name}"), array);
    }
    both = both
        .into_iter()
        .map(|(name, array)| match name.strip_prefix("gen_b.") {
            Some(name) => (format!("gen_b.{name}"), array),
            None => (format!("gen_a.{name}"), array),
        })
        .collect();
    let error = desk.refused(&dict([("state_dict", state(&both, own))]));
    let taken = "torch.save({k[len(\"gen_a.\"):]: v for k, v in s[\"state_dict\"].items() if k.startswith(\"gen_a.\")}, \"gen_a.pth\")";
    assert!(error.contains(taken), "{error}");
    let bytes = to_safetensors(&both, String::new()).unwrap();
    let path = desk.write("two.safetensors", &without_card(&bytes));
    let error = ModelFile::open(&path).unwrap_err().to_string();
    assert!(error.contains("load_file") && error.contains("\"gen_a.safetensors\""), "{error}");
}

/// A label embedding beside the layers is a part of the generator: without it the images would be wrong.
#[test]
fn a_part_of_a_larger_network_is_not_taken_for_a_generator() {
    let desk = Desk::new();
    for prefix in ["model", "gen", "generator.main"] {
        let beside =
            prefix.split_once('.').map_or(String::new(), |(network, _)| format!("{network}."));
        let mut weights: Weights = generator(1)
            .into_iter()
            .map(|(name, array)| (name.replace("main", prefix), array))
            .collect();
        let values = vec![0.0; 7 * 16];
        weights.insert(format!("{beside}label_emb.weight"), Array { shape: vec![7, 16], values });
        for (key, value) in discriminator(1) {
            weights.insert(format!("discriminator.{key}"), value);
        }
        let error = desk.refused(&dict([("state_dict", state(&weights, own))]));
        assert!(error.contains("label_emb"), "{error}");
    }
    // In dictionaries of their own they are networks.
    let both =
        dict([("g", state(&generator(1), own)), ("classifier", state(&discriminator(1), own))]);
    assert_eq!(desk.open(&both).unwrap().weights, generator(1));
    let two: Weights = generator(1)
        .into_iter()
        .map(|(name, array)| (format!("gan.generator.{name}"), array))
        .chain(discriminator(1).into_iter().map(|(n, a)| (format!("gan.discriminator.{n}"), a)))
        .collect();
    assert_eq!(desk.open(&dict([("state_dict", state(&two, own))])).unwrap().weights, generator(1));
}

/// The file as another program writes it: our metadata has another name.
fn without_card(bytes: &[u8]) -> Vec<u8> {
    let key = b"\"dermagan\"";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + key.len()].copy_from_slice(b"\"another_\"");
    bytes
}

#[test]
fn a_network_that_does_not_fit_is_refused_with_the_reason() {
    let desk = Desk::new();
    let changed = |change: &dyn Fn(&mut Weights)| {
        let mut weights = generator(1);
        change(&mut weights);
        desk.refused(&state(&weights, own))
    };
    let set = |weights: &mut Weights, name: &str, shape: &[usize]| {
        let values = vec![0.0; shape.iter().product()];
        weights.insert(name.to_owned(), Array { shape: shape.to_vec(), values });
    };
    let has = |error: String, words: &str| {
        assert!(error.contains(words), "expected '{words}' in: {error}")
    };
    has(
        changed(&|w| set(w, "main.12.weight", &[4, 1, 4, 4])),
        "one channel (grey); dermagan needs three",
    );
    has(changed(&|w| set(w, "main.12.weight", &[4, 4, 4, 4])), "dermagan needs three");
    has(changed(&|w| set(w, "main.12.weight", &[4, 3, 5, 5])), "kernels of 5×5, expected 4×4");
    has(
        changed(&|w| set(w, "main.12.bias", &[3])),
        "'main.12.bias': the convolutions of a DCGAN have no bias",
    );
    has(
        changed(&|w| set(w, "label_emb.weight", &[7, 16])),
        "'label_emb.weight' [7, 16] is of a linear layer",
    );
    has(changed(&|w| set(w, "main.9.weight", &[8, 6, 4, 4])), "");
    has(
        changed(&|w| w.retain(|name, _| !name.starts_with("main.10."))),
        "3 batch normalisations with running",
    );
    has(desk.refused(&state(&discriminator(1), own)), "it reads images, as a discriminator does");
    // An encoder to as many numbers as a latent has the shapes of a generator, in reverse.
    has(desk.refused(&state(&discriminator(16), own)), "it reads images");
    has(desk.refused(&dict([("epoch", Py::Int(1))])), "it holds no layers of a network");
    let mut broken = generator(1);
    broken.get_mut("main.3.weight").unwrap().values[0] = f32::NAN;
    has(desk.refused(&state(&broken, own)), "not finite");
    // Of several networks each has its reason, and the error says how to take one out.
    let grey = ModelConfig { ..SMALL };
    let mut grey = of(grey, 1);
    set(&mut grey, "main.12.weight", &[4, 1, 4, 4]);
    let root = dict([
        ("epoch", Py::Int(9)),
        ("netD", state(&discriminator(1), own)),
        ("netG", state(&grey, own)),
        ("optimG", adam()),
    ]);
    let error = desk.refused(&root);
    has(error.clone(), "it holds 2 networks");
    has(
        error.clone(),
        "\n  netD: it reads images, as a discriminator does, and makes none (5 layers: [4, 3, 4, 4]",
    );
    has(
        error.clone(),
        "\n  netG: its last layer makes one channel (grey); dermagan needs three (5 layers: [16, 32, 4, 4]",
    );
    has(error, "torch.save(s[\"netG\"], \"netG.pth\")");
    has(
        desk.refused(&Py::List(vec![state(&generator(1), own)])),
        "torch.save(s[0], \"generator.pth\")",
    );
}

#[test]
fn a_file_that_is_cut_off_or_is_something_else_is_named() {
    let desk = Desk::new();
    let whole = torch_file(&state(&generator(1), own));
    let refused = |name: &str, bytes: &[u8]| {
        let error = ModelFile::open(&desk.write(name, bytes)).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        error
    };
    let half = whole.len() / 2;
    let error = refused("cut.pth", &whole[..half]);
    assert!(
        error.contains(&format!("the file is cut off: it has {half} bytes, expected ")),
        "{error}"
    );
    for (bytes, words) in [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "a PNG image"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0".to_vec(), "an HDF5 file"),
        (b"\x08\x07\x12\x07pytorch".to_vec(), "an ONNX model"),
        (Vec::new(), "found an empty file"),
        (stored_zip(&[("arr_0.npy".into(), vec![0; 90])]), "an npz file of numpy arrays (arr_0)"),
        (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "a Git LFS pointer"),
    ] {
        let error = refused("model.pth", &bytes);
        assert!(error.contains(words), "expected '{words}' in: {error}");
    }
    let safetensors = to_safetensors(&generator(1), String::new()).unwrap();
    let (cut, all) = (safetensors.len() - 100, safetensors.len());
    let error = refused("cut.safetensors", &safetensors[..cut]);
    assert!(error.contains(&format!("it has {cut} bytes, expected {all}")), "{error}");
}

/// Names and nesting of any size cost no more than the file does.
#[test]
fn hostile_names_and_nesting_are_refused_in_little_time() {
    let desk = Desk::new();
    let began = std::time::Instant::now();
    let deep = (0..2000).fold(Py::Int(1), |inner, _| Py::List(vec![inner]));
    assert!(desk.refused(&dict([("a", deep)])).contains("nesting"));
    let dotted: Vec<(String, Py)> =
        (0..200).map(|i| (format!("{}{i}", "a.".repeat(20_000)), zeros(&[2, 2]))).collect();
    let error = desk.refused(&Py::Dict(dotted));
    assert!(error.len() < 4000, "{} bytes", error.len());
    let many: Vec<(String, Py)> =
        (0..3000).map(|i| (format!("net{i}.main.0.weight"), zeros(&[1, 1]))).collect();
    assert!(desk.refused(&Py::Dict(many)).len() < 4000);
    assert!(began.elapsed().as_secs() < 60);
}
