//! A network whose trainable parameters share one buffer. The optimiser and the averages then need one set
//! of kernel launches instead of one per tensor. At small batches, launches limit the speed of a GPU.

use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::named::Network;
use crate::ops::{is_cpu, squares};
use crate::tensor::upload;

/// Each parameter begins at a multiple of this number of values. A slice whose bounds have the alignment of a
/// GPU's buffers (256 bytes at most) is a view, which costs no launch. It is also the length of the rows that
/// norms are summed over first.
const ROW: usize = 1024;

/// The position of each parameter in a flat buffer. The gaps between parameters hold zeros.
#[derive(Debug)]
pub struct Layout {
    places: BTreeMap<String, Range<usize>>,
    /// The names, in the order of the buffer.
    names: Vec<String>,
    /// Number of values in the buffer.
    length: usize,
    /// The index of the first row of [`ROW`] values of each parameter, followed by the number of rows:
    /// `[parameters + 1]`.
    starts: Tensor<1, Int>,
}

impl Layout {
    fn of(parameters: impl Iterator<Item = (String, usize)>, device: &Device) -> Self {
        let (mut places, mut names, mut length) = (BTreeMap::new(), Vec::new(), 0);
        for (name, values) in parameters {
            places.insert(name.clone(), length..length + values);
            names.push(name);
            length += values.next_multiple_of(ROW);
        }
        let ends = names.iter().map(|name| places[name].end.div_ceil(ROW) as i32);
        let starts: Vec<i32> = std::iter::once(0).chain(ends).collect();
        let count = starts.len();
        let starts = upload(TensorData::new(starts, [count]), (device, DType::I32));
        Self { places, names, length, starts }
    }

    /// The names of the parameters, in the order of the buffer.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A buffer full of zeros.
    pub fn zeros(&self) -> Tensor<1> {
        Tensor::zeros([self.length], &self.starts.device())
    }

    /// Joins values by name into one buffer. Parameters that are missing are zero.
    pub fn join(&self, named: impl IntoIterator<Item = (String, Tensor<1>)>) -> Tensor<1> {
        named.into_iter().fold(self.zeros(), |buffer, (name, values)| {
            match self.places.get(&name) {
                Some(place) => buffer.slice_assign([place.clone()], values),
                None => buffer,
            }
        })
    }

    /// The values of one parameter, flat; `None` if the buffer has no parameter of this name.
    pub fn part(&self, buffer: &Tensor<1>, name: &str) -> Option<Tensor<1>> {
        let place = self.places.get(name)?;
        Some(buffer.clone().slice([place.clone()]))
    }

    /// The squared norm of each parameter, `[parameters]`.
    pub fn squares(&self, buffer: &Tensor<1>) -> Tensor<1> {
        squares(buffer.clone(), self.starts.clone(), ROW)
    }
}

/// The gradients of a network.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per player and step")]
pub enum Gathered {
    /// Flat, by name.
    Named(Vec<(String, Tensor<1>)>),
    /// In one buffer with the layout of the parameters.
    Joined(Tensor<1>),
}

/// A network, and on GPUs the buffer that its trainable parameters are parts of. On the CPU there is no buffer,
/// because a launch costs nothing there.
#[derive(Clone, Debug)]
pub struct Flat<N> {
    network: N,
    buffer: Option<(Arc<Layout>, Tensor<1>)>,
}

impl<N> Deref for Flat<N> {
    type Target = N;

    fn deref(&self) -> &N {
        &self.network
    }
}

impl<N: Network> Flat<N> {
    /// Moves the parameters of a network into a buffer, if it is on a GPU.
    pub fn new(network: N) -> Self {
        let parameters: Vec<_> = network.parameters().into_iter().filter(|p| p.trainable).collect();
        let Some(device) = parameters.first().map(|p| p.value.device()) else {
            return Self { network, buffer: None };
        };
        if is_cpu(&device) {
            return Self { network, buffer: None };
        }
        let lengths = parameters.iter().map(|p| (p.name.clone(), p.value.dims()[0]));
        let layout = Arc::new(Layout::of(lengths, &device));
        let buffer = layout.join(parameters.into_iter().map(|p| (p.name, p.value)));
        Self { network, buffer: Some((layout, buffer.clone())) }.with_buffer(buffer)
    }

    /// The network without the buffer.
    pub fn into_network(self) -> N {
        self.network
    }

    /// Applies `change` to the network, including its parameters.
    pub fn map(self, change: impl FnOnce(N) -> N) -> Self {
        Self::new(change(self.network))
    }

    /// Changes values by name, as [`Network::map_values`] does. If there is a buffer, `change` gets only the values
    /// that are not trained, such as running statistics.
    pub fn map_values(self, mut change: impl FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) -> Self {
        let Self { network, buffer } = self;
        let network = network.map_values(|name, value| match &buffer {
            Some((layout, _)) if layout.places.contains_key(name) => None,
            _ => change(name, value),
        });
        Self { network, buffer }
    }

    /// Changes the network in place. `change` must not change trainable parameters.
    pub fn update_running(&mut self, change: impl FnOnce(&mut N)) {
        change(&mut self.network);
    }

    /// The buffer and its layout, without autodiff; `None` on the CPU.
    pub fn buffer(&self) -> Option<&(Arc<Layout>, Tensor<1>)> {
        self.buffer.as_ref()
    }

    /// Converts gradients by name to the form of the parameters: joined if there is a buffer.
    pub fn gather(&self, gradients: Vec<(String, Tensor<1>)>) -> Gathered {
        match &self.buffer {
            Some((layout, _)) => Gathered::Joined(layout.join(gradients)),
            None => Gathered::Named(gradients),
        }
    }

    /// The names of the trainable parameters, in the order of [`Flat::squares`].
    pub fn names(&self) -> Vec<String> {
        match &self.buffer {
            Some((layout, _)) => layout.names().to_vec(),
            None => {
                let trainable = self.network.parameters().into_iter().filter(|p| p.trainable);
                trainable.map(|p| p.name).collect()
            }
        }
    }

    /// The squared norm of each gradient, `[parameters]`, in the order of [`Flat::names`].
    pub fn squares(&self, gradients: &Gathered) -> Tensor<1> {
        match (gradients, &self.buffer) {
            (Gathered::Joined(buffer), Some((layout, _))) => layout.squares(buffer),
            (Gathered::Joined(buffer), None) => (buffer.clone() * buffer.clone()).sum(),
            (Gathered::Named(named), _) => {
                let square = |g: &Tensor<1>| (g.clone() * g.clone()).sum();
                Tensor::cat(named.iter().map(|(_, g)| square(g)).collect(), 0)
            }
        }
    }

    /// The same network with the values of another buffer of its layout. Without a buffer, the network is returned
    /// unchanged.
    pub fn with_buffer(self, values: Tensor<1>) -> Self {
        let Self { network, buffer } = self;
        let Some((layout, _)) = buffer else { return Self { network, buffer: None } };
        let network = network.map_values(|name, _| layout.part(&values, name));
        Self { network, buffer: Some((layout, values)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{from_slice, to_vec};

    #[test]
    fn the_parts_of_a_buffer_keep_their_values_and_have_their_norms() {
        let device = Device::flex();
        let lengths = [("a", 3), ("b", ROW), ("c", ROW + 1)].map(|(n, l)| (n.to_owned(), l));
        let layout = Layout::of(lengths.clone().into_iter(), &device);
        let values =
            |at: usize, n: usize| (0..n).map(|i| (i + at) as f32 / 64.0).collect::<Vec<_>>();
        let named = lengths.iter().enumerate();
        let buffer = layout.join(
            named.clone().map(|(i, (name, n))| (name.clone(), from_slice(&values(i, *n), &device))),
        );
        let norms = to_vec(layout.squares(&buffer));
        for (i, (name, n)) in named {
            let expected = values(i, *n);
            assert_eq!(to_vec(layout.part(&buffer, name).unwrap()), expected);
            let square: f32 = expected.iter().map(|v| v * v).sum();
            assert!((norms[i] / square - 1.0).abs() < 1e-5, "{name}");
        }
        assert_eq!(to_vec(buffer).len(), 4 * ROW);
    }
}
