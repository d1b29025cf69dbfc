//! The flags of other programs, with what takes their place here.

/// What takes the place of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The option that means the same, and after a semicolon what is different.
    Called(&'static str),
    /// Why there is no such option, as the rest of a sentence that begins with the flag.
    Note(&'static str),
}

impl Answer {
    /// The text.
    pub fn text(self) -> &'static str {
        let (Self::Called(text) | Self::Note(text)) = self;
        text
    }
}

use Answer::{Called, Note};

/// Flags of other programs: names with a blank between them, in lower case and with dashes for underscores; the command
/// that the answer is about; the answer. For a flag of several rows, the row of the user's command counts, else the first
/// whose options the user's command has, else the first.
///
/// The programs are StyleGAN2-ada and 3, lightweight-gan and stylegan2-pytorch, PyTorch's DCGAN example, diffusers and
/// similar scripts, pytorch-fid, clean-fid and torch-fidelity.
pub const FLAGS: &[(&str, &str, Answer)] = &[
    // The data.
    (
        "dataroot data-dir data-path data-root dataset-path dataset-dir train-data-dir img-dir image-dir path input \
         input-dir train-dir",
        "train",
        Called("--data"),
    ),
    (
        "dataset dataset-name",
        "train",
        Called("--data; the kind of the data is recognised by its content"),
    ),
    (
        "data dataset dataroot data-dir real-path path-real real-dir gt ref reference input2 fdir2 dataset-path",
        "eval",
        Called("--real"),
    ),
    (
        "source src input data data-dir dataroot dataset path",
        "prepare",
        Note("is the first argument: dermagan prepare SOURCE"),
    ),
    (
        "source src input data data-dir dataroot dataset path",
        "data info",
        Note("is the first argument: dermagan data info SOURCE"),
    ),
    ("dest output output-dir out-dir outfile outdir", "prepare", Called("--out; it is one file")),
    (
        "imagesize image-size img-size resolution res im-size height width",
        "train",
        Called("--size; 32, 64, 128 or 256"),
    ),
    (
        "imagesize image-size img-size resolution res im-size height width",
        "prepare",
        Called("--size; one number of pixels"),
    ),
    (
        "transform crop resize-mode resize padding pad",
        "prepare",
        Called("--fit; crop, pad or squash"),
    ),
    (
        "transform crop resize-mode resize padding pad keep-aspect",
        "train",
        Called("--fit; crop, pad or squash"),
    ),
    ("resize-filter interpolation", "prepare", Called("--filter")),
    (
        "subset max-images max-samples max-train-samples limit",
        "train",
        Note(
            "has no equivalent: train on a folder with fewer images, or on some classes with --classes",
        ),
    ),
    (
        "val-split test-size validation-split train-split val-size",
        "train",
        Note(
            "is not needed: the data is split once, and the training side is used; --all-images uses all sides",
        ),
    ),
    (
        "workers num-workers n-cpu num-threads nproc prefetch pin-memory dataloader-num-workers",
        "train",
        Note("is not needed: images are decoded once into a cache, and all cores are used"),
    ),
    (
        "workers num-workers n-cpu num-threads nproc prefetch pin-memory",
        "eval",
        Note("is not needed: all cores are used"),
    ),
    (
        "xflip yflip hflip vflip flip horizontal-flip random-flip x-flip",
        "train",
        Called("--mirror"),
    ),
    ("class class-name class-names classes-to-use", "train", Called("--classes")),
    (
        "cond conditional class-cond labels use-labels class-conditional n-classes num-classes nclasses conditional-model",
        "train",
        Note(
            "is not needed: with two classes or more the preset is rare, which is conditioned on classes; another \
             residual preset is with --set condition.classes=true",
        ),
    ),
    (
        "transparent alpha rgba",
        "train",
        Note("has no equivalent: generated images are RGB without transparency"),
    ),
    (
        "greyscale grayscale nc n-channels num-channels input-nc output-nc in-channels img-channels channels",
        "train",
        Note(
            "has no equivalent: images have three channels, and --width is the width of the networks",
        ),
    ),
    // The length and the intervals.
    (
        "niter epochs n-epochs num-epochs num-train-epochs nepochs nb-epochs max-epochs epoch num-epoch",
        "train",
        Note(
            "counts epochs; the length of a run is --kimg in thousands of images (epochs times images, divided by \
             1000), or --minutes",
        ),
    ),
    (
        "num-train-steps max-train-steps iterations total-iters n-iters iters iter max-steps steps num-steps niters \
         num-iterations train-steps",
        "train",
        Note(
            "counts steps; the length of a run is --kimg in thousands of images (steps times batch, divided by 1000), \
             or --minutes",
        ),
    ),
    ("total-kimg max-kimg n-kimg", "train", Called("--kimg")),
    (
        "save-every save-interval save-freq save-epoch-freq save-steps checkpointing-steps checkpoint-every evaluate-every \
         sample-interval sample-every image-snapshot-ticks network-snapshot-ticks snapshot-interval snap-interval",
        "train",
        Called("--snap; it counts thousands of images between snapshots"),
    ),
    (
        "log-every log-interval log-freq print-freq display-freq print-every kimg-per-tick",
        "train",
        Called("--tick; it counts thousands of images between lines of statistics"),
    ),
    (
        "calculate-fid-every fid-every eval-freq calculate-fid-num-images fid kid",
        "train",
        Called("--metrics fid; it is computed at every snapshot"),
    ),
    // The batch and the optimiser.
    (
        "batch-size batchsize train-batch-size bs minibatch minibatch-size batchsz",
        "train",
        Called("--batch"),
    ),
    (
        "batch-size batchsize bs batch",
        "eval",
        Note(
            "is not needed: the batch does not change the results, and the features have one that suits them",
        ),
    ),
    ("batch-size batchsize bs", "bench", Called("--batch")),
    (
        "batch-gpu gradient-accumulate-every gradient-accumulation-steps accumulate accum batch-per-gpu",
        "train",
        Note(
            "has no equivalent: a step computes its whole batch on one device; lower --batch if memory is short",
        ),
    ),
    ("learning-rate lr-g glr g-lr lrg initial-lr learningrate alpha-lr", "train", Called("--lr")),
    ("dlr lr-d d-lr lrd ttur-mult", "train", Called("--set optimiser.d_learning_rate=RATE")),
    ("beta1 b1 beta-1 adam-beta1 beta", "train", Called("--set optimiser.beta1=VALUE")),
    ("beta2 b2 beta-2 adam-beta2", "train", Called("--set optimiser.beta2=VALUE")),
    ("ema ema-decay ema-beta ema-kimg use-ema", "train", Called("--set optimiser.ema_kimg=KIMG")),
    (
        "gamma r1-gamma r1 r1-weight lambda-gp gp-weight gp-lambda",
        "train",
        Called("--set objective.r1=VALUE"),
    ),
    (
        "loss gan-loss gan-mode gan-type loss-type adversarial-loss",
        "train",
        Called("--set objective.loss=NAME"),
    ),
    (
        "d-steps n-critic ncritic num-d-steps disc-iters",
        "train",
        Note("has no equivalent: a step trains the discriminator and the generator once each"),
    ),
    // The networks.
    (
        "cfg config config-file arch architecture model model-type model-name network-config",
        "train",
        Called("--preset; a name or a FILE.toml"),
    ),
    ("nz latent-dim z-dim zdim latent-size latent z-size", "train", Called("--set model.z_dim=N")),
    (
        "ngf ndf cbase cmax network-capacity fmap-max fmap-base base-channels dim base-dim capacity",
        "train",
        Called("--width; --set model.d_width=N is the discriminator's alone"),
    ),
    (
        "map-depth mapping-layers mbstd-group attn-layers fq-layers fq-dict-size cl-reg style-mixing style-depth mixed-prob \
         dual-contrast-loss disc-output-size no-const attn-res-layers freq-chan-attn sle-spatial style-dim n-mlp \
         channel-multiplier no-pl-reg path-regularize",
        "train",
        Note(
            "has no equivalent: it belongs to another architecture; --preset chooses one of those here",
        ),
    ),
    (
        "freezed freeze-d freeze-layers freeze",
        "train",
        Note("has no equivalent: a run trains all layers from the beginning"),
    ),
    // Augmentation.
    (
        "aug augpipe aug-types aug-type augment diffaugment diff-aug diffaug policy ada augmentation",
        "train",
        Note(
            "is a group of settings: --set augment.probability=0.2 fixes the probability, --set augment.target=0.6 adapts \
             it as ADA does, and --set augment.rotate=1 and others choose the transforms",
        ),
    ),
    ("p aug-prob aug-p dataset-aug-prob", "train", Called("--set augment.probability=VALUE")),
    ("target ada-target", "train", Called("--set augment.target=VALUE")),
    ("ada-kimg ada-length ada-speed", "train", Called("--set augment.adapt_kimg=KIMG")),
    // The device.
    (
        "cuda mps accel use-cuda use-gpu gpu use-mps",
        "train",
        Called("--device gpu; without it, the first real GPU is used, else the CPU"),
    ),
    (
        "gpus ngpu num-gpus n-gpu ngpus multi-gpus gpu-ids gpu-id gpuid devices num-gpu world-size local-rank nproc-per-node \
         distributed",
        "train",
        Note("is not needed: everything runs on one device, which --device chooses"),
    ),
    ("cpu no-cuda force-cpu", "train", Called("--device cpu")),
    (
        "fp16 amp half mixed-precision use-fp16 num-fp16-res half-precision bf16",
        "train",
        Called("--precision auto; or f16 on GPUs, bf16 on CPUs"),
    ),
    ("fp32 full-precision", "train", Called("--precision f32")),
    (
        "nobench allow-tf32 nhwc verbose show-progress no-pbar nobar benchmark cudnn-benchmark compile",
        "train",
        Note("is not needed"),
    ),
    // Files and names.
    (
        "outf output output-dir out out-dir outdir-path results-dir results-folder models-dir save-dir checkpoint-dir \
         checkpoints-dir log-dir logdir logging-dir exp-dir work-dir",
        "train",
        Called("--outdir; each run gets a numbered folder in it"),
    ),
    (
        "name desc experiment experiment-name exp exp-name run-name project project-name tag",
        "train",
        Note(
            "is not needed: the folder of a run has a number, and may be renamed; --outdir names the folder of runs",
        ),
    ),
    (
        "load-from load load-model checkpoint ckpt ckpt-path resume-from resume-pkl resume-path resume-from-checkpoint \
         continue-train pretrained load-checkpoint init-from resume-kimg restore",
        "train",
        Called("--resume; it takes a run or its checkpoint, and no weights of another program"),
    ),
    (
        "new overwrite",
        "train",
        Note("is not needed: every run gets a new folder; --resume continues a run"),
    ),
    (
        "netg netd generator discriminator",
        "train",
        Note(
            "has no equivalent: a run continues from a checkpoint of both networks with --resume; a generator alone \
             makes images with: dermagan sample FILE",
        ),
    ),
    (
        "generate sample generate-images num-generate gen test inference",
        "train",
        Note("is a command of its own: dermagan sample RUN"),
    ),
    (
        "generate-interpolation",
        "train",
        Note("is a command of its own: dermagan sample RUN --interpolate SEEDS"),
    ),
    (
        "num-image-tiles image-tiles n-sample sample-num",
        "train",
        Note(
            "has no equivalent: the grid of a snapshot has 8x8 images; dermagan sample RUN --grid makes others",
        ),
    ),
    ("manualseed random-seed random-state rng-seed", "train", Called("--seed")),
    (
        "wandb use-wandb tensorboard use-tensorboard report-to tracker",
        "train",
        Note("is not needed: the run's folder has stats.jsonl and losses.png"),
    ),
    // Generating images.
    (
        "network network-pkl pkl ckpt ckpt-path checkpoint model model-path model-name generator netg weights load load-from \
         resume g name",
        "sample",
        Note("is the first argument: dermagan sample FILE_OR_RUN"),
    ),
    (
        "network network-pkl pkl ckpt checkpoint model model-path weights input",
        "export",
        Note("is the first argument: dermagan export FILE_OR_RUN"),
    ),
    (
        "network network-pkl pkl ckpt checkpoint model model-path weights input",
        "info",
        Note("is the first argument: dermagan info FILE_OR_RUN"),
    ),
    (
        "num-samples n-samples num-images n-images nimages num samples num-generate n-sample sample-size count \
         num-image-tiles",
        "sample",
        Called("--number"),
    ),
    ("seed manualseed random-seed", "sample", Called("--seeds")),
    ("truncation psi trunc-psi truncation-trick", "sample", Called("--trunc")),
    (
        "trunc truncation psi truncation-psi trunc-psi",
        "eval",
        Note(
            "has no equivalent: the images are generated with truncation 1; dermagan sample --trunc makes others, and --fake takes their folder",
        ),
    ),
    (
        "class-idx class-id classes label labels class-label y cond",
        "sample",
        Called("--class; codes such as mel, or all"),
    ),
    (
        "noise-mode translate rotate",
        "sample",
        Note("has no equivalent: the seed decides the noise and the orientation"),
    ),
    (
        "output output-dir out-dir outfile outf results-dir save-dir save-path sample-dir output-path dest",
        "sample",
        Called("--out"),
    ),
    (
        "output output-dir outfile outf dest save-path format",
        "export",
        Called("--out; a .safetensors, an .onnx or a .py file"),
    ),
    ("fp16 half", "export", Note("is the default; --full keeps 32 bits")),
    (
        "num-keyframes w-frames interpolation-num-steps num-frames frames-per-seed steps num-steps fps",
        "sample",
        Called("--frames; it counts the frames from one seed to the next of --interpolate"),
    ),
    (
        "interpolation interp generate-interpolation lerp slerp",
        "sample",
        Called("--interpolate SEEDS"),
    ),
    ("nrow ncols rows cols columns grid-size image-tiles", "sample", Called("--grid COLUMNSxROWS")),
    ("generate generate-images", "sample", Note("is not needed: dermagan sample generates")),
    (
        "projected-w w latents latent z",
        "sample",
        Note("has no equivalent: images are made from --seeds"),
    ),
    // Evaluating images.
    (
        "network network-pkl pkl ckpt checkpoint model model-path generated generated-path gen-path fake-path path-fake fake-dir \
         fake-images gen samples samples-path sample-path pred input1 input fdir1 images generator",
        "eval",
        Called("--fake"),
    ),
    (
        "metrics metric fid kid isc prc is inception-score ppl precision recall density coverage",
        "eval",
        Note(
            "is not needed: KID, FID, precision, recall, density and coverage are always computed",
        ),
    ),
    (
        "dims",
        "eval",
        Note("is not needed: --features chooses the network, and each has one number of features"),
    ),
    ("save-stats save stats", "eval", Called("--save-features FILE.npz")),
    (
        "num-samples n-samples num-gen num-images n-images num kid-subset-size fid-samples max-samples num-fid-samples samples-n",
        "eval",
        Called("--number"),
    ),
    (
        "feature-extractor model-name inception mode backbone feature-model extractor",
        "eval",
        Called("--features; lesion, inception or handmade"),
    ),
    (
        "inception-weights weights-path feature-extractor-weights-path fid-inception-weights",
        "eval",
        Called("--weights"),
    ),
    ("class-wise per-class-fid classwise intra-fid", "eval", Called("--per-class")),
];

/// Commands of other programs, with those that take their place here.
pub const COMMANDS: &[(&str, &str)] = &[
    (
        "generate gen gen-images gen-video generate-images inference test synthesize synthesise",
        "dermagan sample",
    ),
    ("calc-metrics calc-metric metrics fid evaluate evaluation score fidelity", "dermagan eval"),
    ("dataset-tool dataset preprocess preprocessing prep convert", "dermagan prepare SOURCE"),
    ("resume continue", "dermagan train --resume RUN"),
    ("finetune fit run", "dermagan train"),
    ("inspect stats describe-data", "dermagan data info SOURCE"),
    ("show describe", "dermagan info"),
];
