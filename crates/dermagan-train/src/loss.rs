//! The objective.

use burn::tensor::Tensor;

/// Mean binary cross-entropy of logits against one target (0 for fake, 1 for real), in the form
/// that does not overflow: max(x, 0) − x·t + ln(1 + e^−|x|). `logits`: [batch]; result: [1].
pub fn bce_with_logits(logits: Tensor<1>, target: f32) -> Tensor<1> {
    use burn::tensor::activation::relu;
    let tail = logits.clone().abs().neg().exp().log1p();
    let linear = relu(logits.clone()) - logits.mul_scalar(target);
    (linear + tail).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn loss(x: f32, target: f32) -> f32 {
        let x = Tensor::from_data(TensorData::new(vec![x], [1]), &Device::flex());
        bce_with_logits(x, target).into_scalar::<f32>()
    }

    #[test]
    fn the_loss_is_minus_log_of_the_probability_and_stays_finite() {
        assert!((loss(0.0, 1.0) - std::f32::consts::LN_2).abs() < 1e-6);
        assert!((loss(2.0, 0.0) - (1.0 + 2.0f32.exp()).ln()).abs() < 1e-6);
        assert_eq!(loss(200.0, 0.0), 200.0);
        assert_eq!(loss(200.0, 1.0), 0.0);
        assert!(loss(-200.0, 1.0).is_finite());
    }
}
