"""The registry of architectures: `model.name=mlp` finds the class registered as "mlp"."""

from torch import nn

from dlx.registry import Registry

# A builder is called with `input_shape` (C, H, W) or (F,), `outputs` and its own keys of the YAML. It
# draws weights through torch's default initialisation only: the caller lends it the global state.
models: Registry[nn.Module] = Registry("model", "dlx.model")
