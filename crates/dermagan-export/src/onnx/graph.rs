//! A graph of ONNX under construction.
//!
//! The numbers of the fields are those of
//! [onnx.proto](https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto); the operators are those of opset 18
//! ([list](https://onnx.ai/onnx/operators/)).

use dermagan_base::protobuf::Message;

/// Types of elements (`TensorProto.DataType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Float = 1,
    Uint8 = 2,
    Int64 = 7,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    Int(i64),
    Float(f32),
    Text(&'static str),
    Ints(Vec<i64>),
}

/// One operation.
#[derive(Clone, Debug)]
struct Node {
    operator: &'static str,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attributes: Vec<(&'static str, Attribute)>,
}

/// The values of a constant, in row-major order.
#[derive(Clone, Debug)]
enum Values {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

/// A constant of the graph, such as a filter.
#[derive(Clone, Debug)]
struct Constant {
    name: String,
    shape: Vec<usize>,
    values: Values,
}

/// An input or the output of the graph. Its first dimension is the batch, which may have any size.
#[derive(Clone, Debug)]
struct Port {
    name: &'static str,
    of: Type,
    /// The dimensions after the batch.
    shape: Vec<usize>,
    text: String,
}

/// A graph whose nodes are in the order of computation.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    constants: Vec<Constant>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

impl Graph {
    /// Adds an input with the dimensions `[batch, …shape]`, and returns its name.
    pub(super) fn input(
        &mut self,
        name: &'static str,
        of: Type,
        shape: &[usize],
        text: String,
    ) -> String {
        self.inputs.push(Port { name, of, shape: shape.to_vec(), text });
        name.to_owned()
    }

    /// Declares that the value `name` is an output with the dimensions `[batch, …shape]`.
    pub(super) fn output(&mut self, name: &'static str, of: Type, shape: &[usize], text: String) {
        self.outputs.push(Port { name, of, shape: shape.to_vec(), text });
    }

    /// Adds a constant of floats and returns its name.
    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> String {
        self.constant(name, shape, Values::Floats(values))
    }

    /// Adds a row of integers and returns its name.
    pub(super) fn ints(&mut self, name: &str, values: Vec<i64>) -> String {
        self.constant(name, &[values.len()], Values::Ints(values))
    }

    /// A constant of this name may be used by several nodes; it is stored once.
    fn constant(&mut self, name: &str, shape: &[usize], values: Values) -> String {
        if !self.constants.iter().any(|known| known.name == name) {
            self.constants.push(Constant { name: name.to_owned(), shape: shape.to_vec(), values });
        }
        name.to_owned()
    }

    /// Adds a node with one output, named `output`, and returns that name.
    pub(super) fn node(
        &mut self,
        operator: &'static str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&'static str, Attribute)],
    ) -> String {
        self.nodes_of(operator, inputs, &[output.to_owned()], attributes);
        output.to_owned()
    }

    /// Adds a node with the outputs `outputs`.
    pub(super) fn nodes_of(
        &mut self,
        operator: &'static str,
        inputs: &[&str],
        outputs: &[String],
        attributes: &[(&'static str, Attribute)],
    ) {
        self.nodes.push(Node {
            operator,
            inputs: inputs.iter().map(|name| (*name).to_owned()).collect(),
            outputs: outputs.to_vec(),
            attributes: attributes.to_vec(),
        });
    }

    /// The message `GraphProto`.
    pub(super) fn message(&self, name: &str) -> Message {
        let mut graph = Message::new();
        for node in &self.nodes {
            graph = graph.message(1, &node.message());
        }
        graph = graph.text(2, name);
        for constant in &self.constants {
            graph = graph.message(5, &constant.message());
        }
        for input in &self.inputs {
            graph = graph.message(11, &input.message());
        }
        for output in &self.outputs {
            graph = graph.message(12, &output.message());
        }
        graph
    }
}

impl Node {
    /// The message `NodeProto`. A node has the name of its first output.
    fn message(&self) -> Message {
        let mut node = Message::new();
        for input in &self.inputs {
            node = node.text(1, input);
        }
        for output in &self.outputs {
            node = node.text(2, output);
        }
        if let Some(name) = self.outputs.first() {
            node = node.text(3, name);
        }
        node = node.text(4, self.operator);
        for (name, value) in &self.attributes {
            node = node.message(5, &value.message(name));
        }
        node
    }
}

impl Attribute {
    /// The message `AttributeProto`. Field 20 is the type of the value.
    fn message(&self, name: &str) -> Message {
        let message = Message::new().text(1, name);
        match self {
            Self::Float(value) => message.float(2, *value).int(20, 1),
            Self::Int(value) => message.int(3, *value).int(20, 2),
            Self::Text(value) => message.text(4, value).int(20, 3),
            Self::Ints(values) => {
                values.iter().fold(message, |message, value| message.int(8, *value)).int(20, 7)
            }
        }
    }
}

impl Constant {
    /// The message `TensorProto`, with little-endian `raw_data`.
    fn message(&self) -> Message {
        let (of, bytes): (Type, Vec<u8>) = match &self.values {
            Values::Floats(all) => {
                (Type::Float, all.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Values::Ints(all) => (Type::Int64, all.iter().flat_map(|v| v.to_le_bytes()).collect()),
        };
        let dims = self.shape.iter().fold(Message::new(), |dims, size| dims.int(1, *size as i64));
        dims.int(2, of as i64).text(8, &self.name).bytes(9, &bytes)
    }
}

impl Port {
    /// The message `ValueInfoProto`.
    fn message(&self) -> Message {
        let batch = Message::new().message(1, &Message::new().text(2, "batch"));
        let shape = self
            .shape
            .iter()
            .fold(batch, |shape, size| shape.message(1, &Message::new().int(1, *size as i64)));
        let tensor = Message::new().int(1, self.of as i64).message(2, &shape);
        let of = Message::new().message(1, &tensor);
        Message::new().text(1, self.name).message(2, &of).text(3, &self.text)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Asserts what an ONNX checker asserts: every value is made before it is used, under a name of its own; constants
    /// have as many values as their shape says, and are used; the outputs are made.
    pub(in crate::onnx) fn assert_well_formed(graph: &Graph) {
        let mut known: BTreeSet<&str> = graph.inputs.iter().map(|port| port.name).collect();
        for constant in &graph.constants {
            let count = match &constant.values {
                Values::Floats(values) => values.len(),
                Values::Ints(values) => values.len(),
            };
            assert_eq!(count, constant.shape.iter().product::<usize>(), "{}", constant.name);
            assert!(known.insert(&constant.name), "{}", constant.name);
        }
        let mut used = BTreeSet::new();
        for node in &graph.nodes {
            for input in node.inputs.iter().filter(|input| !input.is_empty()) {
                assert!(known.contains(input.as_str()), "{input} of {}", node.operator);
                used.insert(input.as_str());
            }
            for output in &node.outputs {
                assert!(known.insert(output), "{output} is made twice");
            }
        }
        for name in known {
            let is_output = graph.outputs.iter().any(|port| port.name == name);
            assert!(is_output || used.contains(name), "{name} is not used");
        }
        assert!(graph.outputs.iter().all(|port| !used.contains(port.name)));
    }

    /// The operators of the nodes, in their order.
    pub(in crate::onnx) fn operators(graph: &Graph) -> Vec<&'static str> {
        graph.nodes.iter().map(|node| node.operator).collect()
    }

    /// The names of the inputs.
    pub(in crate::onnx) fn inputs(graph: &Graph) -> Vec<&'static str> {
        graph.inputs.iter().map(|port| port.name).collect()
    }

    #[test]
    fn a_node_and_a_constant_have_the_fields_of_the_specification() {
        let mut graph = Graph::default();
        let x = graph.input("x", Type::Float, &[2], "x".into());
        let two = graph.floats("two", &[1], vec![2.0]);
        graph.node("Mul", &[&x, &two], "y", &[("axis", Attribute::Int(1))]);
        graph.output("y", Type::Float, &[2], String::new());
        let bytes = graph.message("g").into_bytes();
        let attribute = b"\x0a\x04axis\x18\x01\xa0\x01\x02";
        let node = [b"\x0a\x01x\x0a\x03two\x12\x01y\x1a\x01y\x22\x03Mul\x2a\x0b", &attribute[..]];
        let node = node.concat();
        let mut expected = vec![0x0a, node.len() as u8];
        expected.extend(&node);
        expected.extend(b"\x12\x01g");
        let constant = b"\x08\x01\x10\x01\x42\x03two\x4a\x04\x00\x00\x00\x40";
        expected.extend([0x2a, constant.len() as u8]);
        expected.extend(constant);
        let shape = b"\x0a\x07\x12\x05batch\x0a\x02\x08\x02";
        let tensor = [&[0x08, 1, 0x12, shape.len() as u8][..], shape].concat();
        let of = [&[0x0a, tensor.len() as u8][..], &tensor].concat();
        let port = |name: &[u8], text: &[u8]| {
            [&[0x0a, 1][..], name, &[0x12, of.len() as u8], &of, &[0x1a, text.len() as u8], text]
                .concat()
        };
        for (field, port) in [(0x5a, port(b"x", b"x")), (0x62, port(b"y", b""))] {
            expected.extend([field, port.len() as u8]);
            expected.extend(port);
        }
        assert_eq!(bytes, expected);
    }
}
