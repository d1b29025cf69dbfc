//! The convolutions on GPUs, each in several forms ([`super::choice`]): a kernel that sums directly, the kernel that
//! burn's autotune selects, and for the strided convolution also a product with patches. For float32, the convolution
//! of burn 0.22 has no tiled kernel where the device lacks float32 matrix units (every wgpu device), while its matrix
//! product is tuned.

use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Cube, DType, TensorMetadata};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{FloatDType, Shape, Slice};
use burn_cubecl::kernel::conv::{
    ConvStrategy, ConvTranspose2dStrategy, conv_forward, conv_transpose2d,
};

use super::choice::{Form, compute};

/// A convolution with a kernel of any size.
pub fn convolution(
    x: FloatTensor<Cube>,
    weight: FloatTensor<Cube>,
    bias: Option<FloatTensor<Cube>>,
    options: &ConvOptions<2>,
) -> FloatTensor<Cube> {
    let direct = || {
        let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
        conv_forward(x, weight, bias, options.clone(), ConvStrategy::Direct).ok()
    };
    let tuned = || Some(Cube::conv2d(x.clone(), weight.clone(), bias.clone(), options.clone()));
    let forms =
        [Form { name: "direct", compute: &direct }, Form { name: "tuned", compute: &tuned }];
    let with = (options, bias.is_some());
    compute("convolution", [&x, &weight], &with, &forms)
}

/// The convolution of `[batch, wide, 2h, 2w]` with `[deep, wide, 4, 4]`, stride 2, padding 1.
pub fn down(large: FloatTensor<Cube>, filter: FloatTensor<Cube>) -> FloatTensor<Cube> {
    let options = || ConvOptions::new([2; 2], [1; 2], [1; 2], 1);
    let direct =
        || conv_forward(large.clone(), filter.clone(), None, options(), ConvStrategy::Direct).ok();
    let tuned = || Some(Cube::conv2d(large.clone(), filter.clone(), None, options()));
    let by_product = || Some(product::<Cube>(large.clone(), filter.clone()));
    let forms = [
        Form { name: "direct", compute: &direct },
        Form { name: "tuned", compute: &tuned },
        Form { name: "product", compute: &by_product },
    ];
    compute("strided convolution", [&large, &filter], &(), &forms)
}

/// The transposed convolution of a small image.
pub fn up(
    small: FloatTensor<Cube>,
    filter: FloatTensor<Cube>,
    options: &ConvTransposeOptions<2>,
) -> FloatTensor<Cube> {
    let direct = || {
        let strategy = ConvTranspose2dStrategy::Direct;
        conv_transpose2d(small.clone(), filter.clone(), None, options.clone(), strategy).ok()
    };
    let tuned =
        || Some(Cube::conv_transpose2d(small.clone(), filter.clone(), None, options.clone()));
    let forms =
        [Form { name: "direct", compute: &direct }, Form { name: "tuned", compute: &tuned }];
    compute("transposed convolution", [&small, &filter], options, &forms)
}

/// The gradient of the filter of a convolution.
pub fn filter_gradient(
    large: FloatTensor<Cube>,
    small: FloatTensor<Cube>,
    filter: FloatTensor<Cube>,
    options: &ConvOptions<2>,
) -> FloatTensor<Cube> {
    let direct = || direct_filter_gradient(large.clone(), small.clone(), filter.shape(), options);
    let tuned = || {
        let (large, filter, small) = (large.clone(), filter.clone(), small.clone());
        Some(Cube::conv2d_weight_backward(large, filter, small, options.clone()))
    };
    let forms =
        [Form { name: "direct", compute: &direct }, Form { name: "tuned", compute: &tuned }];
    compute("filter gradient", [&large, &small], options, &forms)
}

/// The gradient of a filter as a convolution of the images with the gradients: channels and batch swap their roles,
/// and the stride becomes the dilation. (burn's own direct form leaves this convolution to autotune.)
fn direct_filter_gradient(
    large: FloatTensor<Cube>,
    small: FloatTensor<Cube>,
    filter: Shape,
    options: &ConvOptions<2>,
) -> Option<FloatTensor<Cube>> {
    let swapped = |x| Cube::float_swap_dims(x, 0, 1);
    let by = ConvOptions::new([1; 2], options.padding_begin(), options.stride, 1);
    let made = conv_forward(swapped(large), swapped(small), None, by, ConvStrategy::Direct).ok()?;
    // If the stride does not divide the side, the result has rows that belong to no tap.
    let [_, _, height, width] = filter.dims();
    let all = |n: usize| Slice::new(0, Some(n.cast_signed()), 1);
    let [wide, deep, ..] = made.shape().dims::<4>();
    Some(swapped(Cube::float_slice(made, &[all(wide), all(deep), all(height), all(width)])))
}

/// The strided convolution as one matrix product per image: `[deep, 16·wide]` × `[16·wide, h·w]`.
fn product<B: Backend>(large: FloatTensor<B>, filter: FloatTensor<B>) -> FloatTensor<B> {
    let [batch, wide, height, width] = large.shape().dims();
    let deep = filter.shape()[0];
    let (h, w) = (height / 2, width / 2);
    let dtype = match large.dtype() {
        DType::F16 => FloatDType::F16,
        _ => FloatDType::F32,
    };
    let framed = Shape::from([batch, wide, height + 2, width + 2]);
    let all = |n: usize| Slice::new(0, Some(n.cast_signed()), 1);
    let inside = |n: usize| Slice::new(1, Some(n.cast_signed() + 1), 1);
    let zeros = B::float_zeros(framed, &large.device(), dtype);
    let place = [all(batch), all(wide), inside(height), inside(width)];
    let framed = B::float_slice_assign(zeros, &place, large);
    let every_other = |from: usize, n: usize| {
        Slice::new(from.cast_signed(), Some((from + 2 * n - 1).cast_signed()), 2)
    };
    let taps = (0..16).map(|tap| {
        let (u, v) = (tap / 4, tap % 4);
        let slices = [all(batch), all(wide), every_other(u, h), every_other(v, w)];
        B::float_slice(framed.clone(), &slices)
    });
    let patches = B::float_cat(taps.collect(), 1);
    let patches = B::float_reshape(patches, Shape::from([batch, 16 * wide, h * w]));
    let rows = B::float_permute(filter, &[0, 2, 3, 1]);
    let rows = B::float_reshape(rows, Shape::from([1, deep, 16 * wide]));
    let rows = B::float_expand(rows, Shape::from([batch, deep, 16 * wide]));
    B::float_reshape(B::float_matmul(rows, patches), Shape::from([batch, deep, h, w]))
}
