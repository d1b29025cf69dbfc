//! The backward passes of the operations of [`Shortcut`].

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use dermagan_kernels::pointwise::Direction;

use super::backend::Shortcut;
use super::spec::ShortcutSpec;
use crate::ops::conv::Convolutions;

/// Gradient of [`Shortcut::layer`].
#[derive(Debug)]
struct Layer;

impl<B: Shortcut + Convolutions> Backward<B, 3> for Layer {
    /// The input if it is normalised, the activation, the filter, and the specification.
    type State = (Option<FloatTensor<B>>, FloatTensor<B>, FloatTensor<B>, ShortcutSpec);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight, bias] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (input, active, filter, spec) = ops.state;
        if let Some(node) = bias {
            grads.register::<B>(node.id, B::bias_gradient(gradient.clone()));
        }
        if let Some(node) = weight {
            let (active, filter) = (active.clone(), filter.clone());
            let g = spec.filter_gradient::<B>(active, gradient.clone(), filter);
            grads.register::<B>(node.id, g);
        }
        if let Some(node) = x {
            let back = spec.apply_transposed::<B>(gradient.clone(), filter);
            let back = match input {
                Some(input) => B::normed_leaky_backward(input, back, spec.slope),
                None => B::gate(back, active, spec.slope),
            };
            let opposite = spec.direction.opposite();
            let g = B::add_resampled(back, gradient, opposite, spec.gain);
            grads.register::<B>(node.id, g);
        }
    }
}

/// Gradient of [`Shortcut::normed_leaky`].
#[derive(Debug)]
struct NormedLeaky;

impl<B: Shortcut> Backward<B, 1> for NormedLeaky {
    type State = (FloatTensor<B>, f64);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (x, slope) = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            grads.register::<B>(node.id, B::normed_leaky_backward(x, gradient, slope));
        }
    }
}

/// Gradient of [`Shortcut::transposed`].
#[derive(Debug)]
struct Transposed;

impl<B: Shortcut + Convolutions> Backward<B, 2> for Transposed {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, ShortcutSpec);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [u, weight] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (input, active, filter, spec) = ops.state;
        let gated = B::gate(gradient.clone(), active, spec.slope);
        if let Some(node) = weight {
            let g = spec.filter_gradient::<B>(input, gated.clone(), filter.clone());
            grads.register::<B>(node.id, g);
        }
        if let Some(node) = u {
            let back = spec.apply_transposed::<B>(gated, filter);
            let opposite = spec.direction.opposite();
            let g = B::add_resampled(back, gradient, opposite, spec.gain);
            grads.register::<B>(node.id, g);
        }
    }
}

/// Gradient of [`Shortcut::add_resampled`].
#[derive(Debug)]
struct AddResampled;

impl<B: Shortcut> Backward<B, 2> for AddResampled {
    type State = (Direction, f64);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [main, source] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (direction, gain) = ops.state;
        if let Some(node) = source {
            let g = B::resample(gradient.clone(), direction.opposite(), gain);
            grads.register::<B>(node.id, g);
        }
        if let Some(node) = main {
            grads.register::<B>(node.id, gradient);
        }
    }
}

/// Gradient of [`Shortcut::add_bias`].
#[derive(Debug)]
struct AddBias;

impl<B: Shortcut> Backward<B, 2> for AddBias {
    type State = ();

    fn backward(self, ops: Ops<(), 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, bias] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = bias {
            grads.register::<B>(node.id, B::bias_gradient(gradient.clone()));
        }
        if let Some(node) = x {
            grads.register::<B>(node.id, gradient);
        }
    }
}

/// Gradient of [`Shortcut::add_noise`] with respect to its first and its last argument.
#[derive(Debug)]
struct AddNoise;

impl<B: Shortcut> Backward<B, 2> for AddNoise {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, strength] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        if let Some(node) = strength {
            let g = B::strength_gradient(gradient.clone(), ops.state);
            grads.register::<B>(node.id, g);
        }
        if let Some(node) = x {
            grads.register::<B>(node.id, gradient);
        }
    }
}

/// Gradient of [`Shortcut::gate`] with respect to its first argument: the same gate again.
#[derive(Debug)]
struct Gate;

impl<B: Shortcut> Backward<B, 1> for Gate {
    type State = (FloatTensor<B>, f64);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (activated, slope) = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            grads.register::<B>(node.id, B::gate(gradient, activated, slope));
        }
    }
}

impl<B: Shortcut + Convolutions, C: CheckpointStrategy> Shortcut for Autodiff<B, C> {
    fn layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ShortcutSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        use burn::backend::AutodiffBackend;
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, w, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let input = spec.normed.then(|| x.clone());
        let (y, active) = B::layer(x, w.clone(), bias, spec);
        let constant = Self::from_inner(active.clone());
        match Layer.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => (prep.finish((input, active, w, spec), y), constant),
            OpsKind::UnTracked(prep) => (prep.finish(y), constant),
        }
    }

    fn normed_leaky(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let x = x.into_primitive();
        let y = B::normed_leaky(x.clone(), slope);
        match NormedLeaky.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, slope), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn normed_leaky_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: f64,
    ) -> FloatTensor<Self> {
        unreachable!(
            "gradients are computed on the inner backend; burn has no second-order gradients"
        )
    }

    fn transposed(
        u: FloatTensor<Self>,
        active: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        spec: ShortcutSpec,
    ) -> FloatTensor<Self> {
        let nodes = [u.node(), weight.node()];
        let (u, active, w) = (u.into_primitive(), active.into_primitive(), weight.into_primitive());
        let y = B::transposed(u.clone(), active.clone(), w.clone(), spec);
        match Transposed.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((u, active, w, spec), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn add_resampled(
        main: FloatTensor<Self>,
        source: FloatTensor<Self>,
        direction: Direction,
        gain: f64,
    ) -> FloatTensor<Self> {
        let nodes = [main.node(), source.node()];
        let y = B::add_resampled(main.into_primitive(), source.into_primitive(), direction, gain);
        match AddResampled.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((direction, gain), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn resample(_: FloatTensor<Self>, _: Direction, _: f64) -> FloatTensor<Self> {
        unreachable!(
            "gradients are computed on the inner backend; burn has no second-order gradients"
        )
    }

    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), bias.node()];
        let y = B::add_bias(x.into_primitive(), bias.into_primitive());
        match AddBias.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn add_noise(
        x: FloatTensor<Self>,
        noise: FloatTensor<Self>,
        strength: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), strength.node()];
        let noise = noise.into_primitive();
        let y = B::add_noise(x.into_primitive(), noise.clone(), strength.into_primitive());
        match AddNoise.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(noise, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn strength_gradient(_: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        unreachable!(
            "gradients are computed on the inner backend; burn has no second-order gradients"
        )
    }

    fn bias_gradient(_: FloatTensor<Self>) -> FloatTensor<Self> {
        unreachable!(
            "gradients are computed on the inner backend; burn has no second-order gradients"
        )
    }

    fn gate(u: FloatTensor<Self>, activated: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let nodes = [u.node()];
        let activated = activated.into_primitive();
        let y = B::gate(u.into_primitive(), activated.clone(), slope);
        match Gate.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((activated, slope), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
