//! The backward passes of [`Residual`]'s operations.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;

use super::{Direction, Residual, Way};
use crate::ops::conv::Convolutions;

/// Gradient of [`Residual::residual`].
#[derive(Debug)]
struct Layer;

impl<B: Residual + Convolutions> Backward<B, 3> for Layer {
    /// What went in if it was normed, the activation, the filter, the way.
    type State = (Option<FloatTensor<B>>, FloatTensor<B>, FloatTensor<B>, Way);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight, bias] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (input, active, filter, way) = ops.state;
        if let Some(node) = bias {
            grads.register::<B>(node.id, B::bias_gradient(gradient.clone()));
        }
        if let Some(node) = weight {
            let (active, filter) = (active.clone(), filter.clone());
            let g = way.filter_gradient::<B>(active, gradient.clone(), filter);
            grads.register::<B>(node.id, g);
        }
        if let Some(node) = x {
            let back = way.back::<B>(gradient.clone(), filter);
            let back = match input {
                Some(input) => B::normed_leaky_backward(input, back, way.slope),
                None => B::gate(back, active, way.slope),
            };
            let opposite = way.direction.opposite();
            let g = B::add_resampled(back, gradient, opposite, way.gain);
            grads.register::<B>(node.id, g);
        }
    }
}

/// Gradient of [`Residual::normed_leaky`].
#[derive(Debug)]
struct NormedLeaky;

impl<B: Residual> Backward<B, 1> for NormedLeaky {
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

/// Gradient of [`Residual::transposed`].
#[derive(Debug)]
struct Transposed;

impl<B: Residual + Convolutions> Backward<B, 2> for Transposed {
    type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, Way);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [u, weight] = ops.parents;
        let gradient = grads.consume::<B>(&ops.node);
        let (input, active, filter, way) = ops.state;
        let gated = B::gate(gradient.clone(), active, way.slope);
        if let Some(node) = weight {
            let g = way.filter_gradient::<B>(input, gated.clone(), filter.clone());
            grads.register::<B>(node.id, g);
        }
        if let Some(node) = u {
            let back = way.back::<B>(gated, filter);
            let opposite = way.direction.opposite();
            let g = B::add_resampled(back, gradient, opposite, way.gain);
            grads.register::<B>(node.id, g);
        }
    }
}

/// Gradient of [`Residual::add_resampled`].
#[derive(Debug)]
struct AddResampled;

impl<B: Residual> Backward<B, 2> for AddResampled {
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

/// Gradient of [`Residual::add_bias`].
#[derive(Debug)]
struct AddBias;

impl<B: Residual> Backward<B, 2> for AddBias {
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

/// Gradient of [`Residual::add_noise`] by its first and its last argument.
#[derive(Debug)]
struct AddNoise;

impl<B: Residual> Backward<B, 2> for AddNoise {
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

/// Gradient of [`Residual::gate`] for its first argument: the same gates again.
#[derive(Debug)]
struct Gate;

impl<B: Residual> Backward<B, 1> for Gate {
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

impl<B: Residual + Convolutions, C: CheckpointStrategy> Residual for Autodiff<B, C> {
    fn residual(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        way: Way,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        use burn::backend::AutodiffBackend;
        let nodes = [x.node(), weight.node(), bias.node()];
        let (x, w, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let input = way.normed.then(|| x.clone());
        let (y, active) = B::residual(x, w.clone(), bias, way);
        let constant = Self::from_inner(active.clone());
        match Layer.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => (prep.finish((input, active, w, way), y), constant),
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
        unreachable!("gradients are taken on the inner backend; burn has none of second order")
    }

    fn transposed(
        u: FloatTensor<Self>,
        active: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        way: Way,
    ) -> FloatTensor<Self> {
        let nodes = [u.node(), weight.node()];
        let (u, active, w) = (u.into_primitive(), active.into_primitive(), weight.into_primitive());
        let y = B::transposed(u.clone(), active.clone(), w.clone(), way);
        match Transposed.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((u, active, w, way), y),
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
        unreachable!("gradients are taken on the inner backend; burn has none of second order")
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
        unreachable!("gradients are taken on the inner backend; burn has none of second order")
    }

    fn bias_gradient(_: FloatTensor<Self>) -> FloatTensor<Self> {
        unreachable!("gradients are taken on the inner backend; burn has none of second order")
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
