//! A network whose trainable parameters lie in one buffer, so that what the optimiser and the averages do to
//! them is one set of kernel launches instead of one per tensor: at small batches a GPU is limited by launches.

use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::named::Network;
use crate::ops::{is_cpu, squares};
use crate::transfer::upload;

/// Parameters begin at multiples of this many values: a slice that begins and ends at the alignment of a GPU's
/// buffers (256 bytes at most) is a view, which costs no launch. Also the row that norms are summed over first.
const ROW: usize = 1024;

/// Where each parameter lies in a flat buffer; between them are zeros.
#[derive(Debug)]
pub struct Layout {
    places: BTreeMap<String, Range<usize>>,
    /// The names in the order of the buffer.
    names: Vec<String>,
    /// Values of the buffer.
    length: usize,
    /// The row of [`ROW`] values that each parameter begins at, and the number of rows, [parameters + 1].
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

    /// A buffer of zeros.
    pub fn zeros(&self) -> Tensor<1> {
        Tensor::zeros([self.length], &self.starts.device())
    }

    /// The values by name in one buffer; those that are missing are zero.
    pub fn join(&self, named: impl IntoIterator<Item = (String, Tensor<1>)>) -> Tensor<1> {
        named.into_iter().fold(self.zeros(), |buffer, (name, values)| {
            match self.places.get(&name) {
                Some(place) => buffer.slice_assign([place.clone()], values),
                None => buffer,
            }
        })
    }

    /// One parameter's values.
    pub fn part(&self, buffer: &Tensor<1>, name: &str) -> Option<Tensor<1>> {
        let place = self.places.get(name)?;
        Some(buffer.clone().slice([place.clone()]))
    }

    /// The squared norm of each parameter's part, `[parameters]`.
    pub fn squares(&self, buffer: &Tensor<1>) -> Tensor<1> {
        squares(buffer.clone(), self.starts.clone(), ROW)
    }
}

/// A network's gradients.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per player and step")]
pub enum Gathered {
    /// By name, flat.
    Named(Vec<(String, Tensor<1>)>),
    /// In one buffer, as the parameters are.
    Joined(Tensor<1>),
}

/// A network, and on GPUs the buffer that its trainable parameters are parts of. On the CPU, where a launch costs
/// nothing, there is no buffer.
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
    /// The network, its parameters moved into a buffer where that is worth it.
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

    /// The network itself.
    pub fn into_network(self) -> N {
        self.network
    }

    /// Changes the network by `change`, its parameters included.
    pub fn map(self, change: impl FnOnce(N) -> N) -> Self {
        Self::new(change(self.network))
    }

    /// Changes the values by name, as [`Network::map_values`] does. Where there is a buffer, `change` is asked for
    /// the values that are not trained, such as running statistics, alone.
    pub fn map_values(self, mut change: impl FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) -> Self {
        let Self { network, buffer } = self;
        let network = network.map_values(|name, value| match &buffer {
            Some((layout, _)) if layout.places.contains_key(name) => None,
            _ => change(name, value),
        });
        Self { network, buffer }
    }

    /// Changes values that are not trained, in place.
    pub fn update_running(&mut self, change: impl FnOnce(&mut N)) {
        change(&mut self.network);
    }

    /// The buffer and its layout, without autodiff; `None` on the CPU.
    pub fn buffer(&self) -> Option<&(Arc<Layout>, Tensor<1>)> {
        self.buffer.as_ref()
    }

    /// Gradients by name in the form of the parameters.
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

    /// The squared norm of every gradient, `[parameters]`.
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

    /// The same network with the values of another buffer of its layout; as it is where there is none.
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
    use crate::named::{from_slice, to_vec};

    #[test]
    fn parts_of_a_buffer_come_back_and_have_their_norms() {
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
