//! The arithmetic of the optimiser and of the moving average of weights.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Int, Tensor};
use burn_flex::FlexTensor;
use dermagan_kernels::pointwise::adam as kernel;
pub use dermagan_kernels::pointwise::adam::Step as AdamStep;

use super::flex;

/// One step of Adam (Kingma and Ba 2015) on flat tensors without autodiff. Returns the new value and
/// both new moments.
pub fn adam(
    step: AdamStep,
    value: Tensor<1>,
    moments: [Tensor<1>; 2],
    gradient: Tensor<1>,
) -> (Tensor<1>, [Tensor<1>; 2]) {
    let [first, second] = moments;
    let (value, first, second) = <Dispatch as Update>::adam(
        value.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        gradient.into_dispatch(),
        step,
    );
    let back = |t| Tensor::<1>::from_dispatch(t);
    (back(value), [back(first), back(second)])
}

/// `old` · `decay` + `new` · (1 − `decay`), on flat tensors without autodiff.
pub fn lerp(old: Tensor<1>, new: Tensor<1>, decay: f64) -> Tensor<1> {
    let (old, new) = (old.into_dispatch(), new.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Update>::lerp(old, new, decay))
}

/// The sum of squares of each part of `values`, `[parts]`. Part i consists of the rows `starts[i]` to
/// `starts[i + 1]` (exclusive), and each row has `row` values. `starts`: `[parts + 1]`.
pub fn squares(values: Tensor<1>, starts: Tensor<1, Int>, row: usize) -> Tensor<1> {
    let (values, starts) = (values.into_dispatch(), starts.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Update>::squares(values, starts, row))
}

/// The arithmetic of the optimiser and of the average.
#[backend_extension(Flex, Cube: cfg(feature = "cube"))]
pub trait Update: Backend {
    /// As the function [`adam`].
    fn adam(
        value: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// As the function [`lerp`].
    fn lerp(old: FloatTensor<Self>, new: FloatTensor<Self>, decay: f64) -> FloatTensor<Self>;

    /// As the function [`squares`].
    fn squares(values: FloatTensor<Self>, starts: IntTensor<Self>, row: usize)
    -> FloatTensor<Self>;
}

/// The values of a flat tensor for changes in place. They are copied first if another tensor shares
/// them.
fn flat(x: &mut FlexTensor) -> &mut [f32] {
    if !x.is_contiguous() {
        *x = x.to_contiguous();
    }
    let start = x.layout().start_offset();
    let end = start + x.layout().num_elements();
    &mut x.storage_mut::<f32>()[start..end]
}

impl Update for Flex {
    fn adam(
        value: FlexTensor,
        mut first: FlexTensor,
        mut second: FlexTensor,
        gradient: FlexTensor,
        step: AdamStep,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (old, gradient) = (flex::in_order(&value), flex::in_order(&gradient));
        let new = kernel::adam(step, &old, flat(&mut first), flat(&mut second), &gradient);
        let n = new.len();
        (flex::plain(new, &[n]), first, second)
    }

    fn lerp(old: FlexTensor, new: FlexTensor, decay: f64) -> FlexTensor {
        let new = kernel::lerp(&flex::in_order(&old), &flex::in_order(&new), decay);
        let n = new.len();
        flex::plain(new, &[n])
    }

    fn squares(values: FlexTensor, starts: IntTensor<Self>, row: usize) -> FlexTensor {
        let values = flex::in_order::<f32>(&values);
        let starts = starts.storage::<i32>();
        let square = |part: &[f32]| part.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() as f32;
        let part = |pair: &[i32]| {
            let [from, to] = [pair[0], pair[1]].map(|start| start as usize * row);
            square(&values[from..to])
        };
        flex::row(starts.windows(2).map(part).collect::<Vec<f32>>())
    }
}
