//! Batch normalisation whose statistics are values, not shared state.
//!
//! The layer of burn keeps its running statistics behind a lock that clones share, chooses between
//! batch and running statistics by the device, and averages the biased variance. Here the caller
//! chooses the statistics, receives those of the batch, and decides whether to keep them. The running
//! variance is the unbiased one, as in PyTorch.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};

use crate::ops;

/// The weight of the newest batch in the running statistics; PyTorch's default.
const MOMENTUM: f64 = 0.1;

/// Normalises each channel over batch and pixels, then scales and shifts it (Ioffe and Szegedy 2015).
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, shape `[channels]`. PyTorch calls it `weight`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, shape `[channels]`. PyTorch calls it `bias`.
    pub beta: Param<Tensor<1>>,
    /// Mean for use outside training, shape `[channels]`, without a gradient.
    pub running_mean: Param<Tensor<1>>,
    /// Variance for use outside training, shape `[channels]`, without a gradient.
    pub running_var: Param<Tensor<1>>,
}

/// Mean and unbiased variance of one batch, shape `[channels]` each, without a gradient.
#[derive(Clone, Debug)]
pub struct BatchStats {
    /// Mean.
    pub mean: Tensor<1>,
    /// Variance, divided by n - 1.
    pub var: Tensor<1>,
}

/// A parameter without a gradient.
pub(crate) fn buffer(value: Tensor<1>) -> Param<Tensor<1>> {
    Param::initialized(ParamId::new(), value.detach()).set_require_grad(false)
}

impl BatchNorm {
    /// A layer with scale 1, shift 0, running mean 0 and running variance 1.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            gamma: Param::from_tensor(Tensor::ones([channels], device)),
            beta: Param::from_tensor(Tensor::zeros([channels], device)),
            running_mean: buffer(Tensor::zeros([channels], device)),
            running_var: buffer(Tensor::ones([channels], device)),
        }
    }

    /// Normalises `x`, `[batch, channels, height, width]`, by the running statistics, then applies
    /// LeakyReLU with `slope` (ReLU if it is 0).
    pub fn forward(&self, x: Tensor<4>, slope: f64) -> Tensor<4> {
        let (mean, var) = (self.running_mean.val(), self.running_var.val());
        ops::norm_act(x, self.gamma.val(), self.beta.val(), mean, var, slope)
    }

    /// Normalises `x`, `[batch, channels, height, width]`, by its own statistics, then applies LeakyReLU
    /// with `slope`. The batch consists of `groups` consecutive batches of one size, each normalised by
    /// its own statistics. Also returns the statistics of each group.
    pub fn forward_train(
        &self,
        x: Tensor<4>,
        slope: f64,
        groups: usize,
    ) -> (Tensor<4>, Vec<BatchStats>) {
        let [batch, channels, height, width] = x.dims();
        let n = (batch / groups * height * width) as f64;
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        let (y, mean, var) = ops::norm_act_train(x, gamma, beta, slope, groups);
        let unbiased = var.mul_scalar(n / (n - 1.0).max(1.0));
        let of = |all: &Tensor<1>, group: usize| all.clone().narrow(0, group * channels, channels);
        let stats = (0..groups)
            .map(|group| BatchStats { mean: of(&mean, group), var: of(&unbiased, group) })
            .collect();
        (y, stats)
    }

    /// Moves the running statistics by a tenth of the way towards those of a batch, as PyTorch does.
    pub fn update_running(&mut self, stats: &BatchStats) {
        let toward = |running: &Param<Tensor<1>>, batch: &Tensor<1>| {
            buffer(running.val().mul_scalar(1.0 - MOMENTUM) + batch.clone().mul_scalar(MOMENTUM))
        };
        self.running_mean = toward(&self.running_mean, &stats.mean);
        self.running_var = toward(&self.running_var, &stats.var);
    }

    /// Replaces the running statistics.
    pub fn set_running(&mut self, stats: BatchStats) {
        self.running_mean = buffer(stats.mean);
        self.running_var = buffer(stats.var);
    }
}
