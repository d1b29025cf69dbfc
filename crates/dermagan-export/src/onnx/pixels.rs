//! The output of the graph: images of floats or of bytes.

use super::graph::{Attribute, Graph, Type};

/// The name of the output.
const IMAGE: &str = "image";

/// Adds the output, `[batch, 3, side, side]`, from `values` in \[-1, 1\]. Bytes are rounded as
/// [`dermagan_model::pixels`] does: the values are at least 0 when they are cast, and a cast truncates.
pub(super) fn output(graph: &mut Graph, values: &str, side: usize, float: bool) {
    let shape = [3, side, side];
    let oriented = "RGB; the images have no random orientation";
    if float {
        graph.node("Identity", &[values], IMAGE, &[]);
        return graph.output(IMAGE, Type::Float, &shape, format!("values in [-1, 1], {oriented}"));
    }
    let [one, scale, half, low, high] =
        [("one", 1.0), ("scale", 127.5), ("half_level", 0.5), ("lowest", 0.0), ("highest", 255.0)]
            .map(|(name, value)| graph.floats(name, &[], vec![value]));
    let above = graph.node("Add", &[values, &one], "values.above_zero", &[]);
    let levels = graph.node("Mul", &[&above, &scale], "levels", &[]);
    let shifted = graph.node("Add", &[&levels, &half], "levels.shifted", &[]);
    let clipped = graph.node("Clip", &[&shifted, &low, &high], "levels.clipped", &[]);
    let whole = graph.node("Floor", &[&clipped], "levels.whole", &[]);
    graph.node("Cast", &[&whole], IMAGE, &[("to", Attribute::Int(Type::Uint8 as i64))]);
    graph.output(IMAGE, Type::Uint8, &shape, format!("values of 0 to 255, {oriented}"));
}
