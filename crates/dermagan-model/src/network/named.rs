//! The parameters of a network by their names in PyTorch, as flat tensors. The optimiser, the average,
//! the checkpoints and the weights files work on these.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use crate::tensor::{Array, Weights, from_slice, to_vec};

/// A network whose parameters have names.
pub trait Network: Module {
    /// Whether its filters belong to transposed convolutions, which have the shape `[in, out, …]`.
    const TRANSPOSED: bool = false;

    /// The name in PyTorch of the parameter at `path`, such as `main`, `2`, `norm`, `gamma`.
    fn name(path: &[String]) -> String;

    /// All parameters and buffers, in a fixed order.
    fn parameters(&self) -> Vec<Parameter> {
        let mut reader = Reader { path: Vec::new(), name: Self::name, found: Vec::new() };
        self.visit(&mut reader);
        reader.found
    }

    /// The same network with changed values. `change` gets the name of each value and the value, flat and
    /// without autodiff, and returns the new value, or `None` to keep it.
    fn map_values(self, change: impl FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) -> Self {
        self.map(&mut Writer { path: Vec::new(), name: Self::name, change })
    }

    /// The gradients of the trainable parameters by name, flat. A parameter without a gradient is left
    /// out.
    fn gradients(&self, gradients: &Gradients) -> Vec<(String, Tensor<1>)> {
        let name = Self::name;
        let mut taker = Taker { path: Vec::new(), name, gradients, found: Vec::new() };
        self.visit(&mut taker);
        taker.found
    }

    /// Copies all parameters and buffers to the host.
    fn to_weights(&self) -> Weights {
        let arrays = self.parameters().into_iter().map(|p| {
            let values = to_vec(p.value);
            (p.name, Array { shape: p.shape, values })
        });
        arrays.collect()
    }

    /// The same network with the values of `weights`.
    ///
    /// # Errors
    /// Names the first tensor that is missing, of another shape, or left over.
    fn with_weights(self, weights: &Weights) -> Result<Self, String> {
        let mut left: std::collections::BTreeSet<&str> =
            weights.keys().map(String::as_str).collect();
        for parameter in self.parameters() {
            let name = parameter.name;
            let array = weights.get(&name).ok_or_else(|| format!("no tensor '{name}'"))?;
            if array.shape != parameter.shape || array.values.len() != parameter.value.dims()[0] {
                let (found, expected) = (&array.shape, &parameter.shape);
                return Err(format!("tensor '{name}' has shape {found:?}, expected {expected:?}"));
            }
            left.remove(name.as_str());
        }
        if let Some(name) = left.first() {
            return Err(format!("tensor '{name}' belongs to no layer"));
        }
        Ok(self.map_values(|name, old| {
            let array = weights.get(name)?;
            Some(from_slice(&array.values, &old.device()))
        }))
    }
}

/// One parameter or buffer.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name in PyTorch, such as `main.0.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether it is trained; false for running statistics.
    pub trainable: bool,
    /// Its values, flat, without autodiff.
    pub value: Tensor<1>,
}

fn is_buffer(name: &str) -> bool {
    name.ends_with("running_mean") || name.ends_with("running_var")
}

/// Converts the path of a parameter in our modules (`main.2.norm.gamma`) to its name in PyTorch
/// (`main.7.weight`). `torch_index` takes the number of a block and whether its normalisation is meant,
/// and returns the index in PyTorch's `nn.Sequential` of the block's convolution or of its normalisation.
pub fn sequential(path: &[String], torch_index: impl Fn(usize, bool) -> usize) -> String {
    let block = path.get(1).and_then(|i| i.parse().ok()).unwrap_or(0);
    let is_norm = path.get(2).is_some_and(|p| p == "norm");
    let leaf = match path.last().map_or("", String::as_str) {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    format!("main.{}.{leaf}", torch_index(block, is_norm))
}

type Namer = fn(&[String]) -> String;

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let n = tensor.shape().num_elements();
    tensor.inner().reshape([n])
}

struct Reader {
    path: Vec<String>,
    name: Namer,
    found: Vec<Parameter>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = (self.name)(&self.path);
        let value = param.val();
        self.found.push(Parameter {
            trainable: !is_buffer(&name),
            name,
            shape: value.dims().to_vec(),
            value: flat(value),
        });
    }
}

struct Writer<F> {
    path: Vec<String>,
    name: Namer,
    change: F,
}

impl<F: FnMut(&str, Tensor<1>) -> Option<Tensor<1>>> ModuleMapper for Writer<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = (self.name)(&self.path);
        let old = param.val();
        let (shape, autodiff, trainable) = (old.shape(), old.is_autodiff(), !is_buffer(&name));
        match (self.change)(&name, flat(old)) {
            None => param,
            Some(new) => param.map(|_| {
                let new = new.reshape(shape);
                let new = if autodiff { new.autodiff() } else { new };
                if autodiff && trainable { new.require_grad() } else { new }
            }),
        }
    }
}

struct Taker<'a> {
    path: Vec<String>,
    name: Namer,
    gradients: &'a Gradients,
    found: Vec<(String, Tensor<1>)>,
}

impl ModuleVisitor for Taker<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.push(((self.name)(&self.path), flat(gradient)));
        }
    }
}
