"""The same network, faster: what can be worked out once is worked out once.

Three things, none of which changes what the network computes beyond rounding:

1. **Folding.** A trained batch norm is a multiplication and an addition per channel,
   γ (x − μ) / √(σ² + ε) + β. Right after a convolution they go into its weights and bias; around the last
   linear layer, into that.
2. **Channels last.** With the channels of a pixel side by side in memory, a 1×1 convolution is one plain
   matrix product. Crops come as (N, H, W, 3), so nothing has to be turned around.
3. **Packed weights** (`facelab.packed`). oneDNN, the library that convolves on a CPU, would rearrange them on
   every call: for one face that costs as much as a third of the whole network.

The readable networks (`sface.py`, `arcface.py`) do not know about any of this.
"""

import torch
from torch import Tensor, nn

from facelab.packed import PackedConv2d, can_pack


def accelerate(net: nn.Module, device: torch.device, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Fold, move to the device and reorder. Changes `net` itself and returns it, for inference only.

    Every module of the net says with FOLDABLE which of its batch norms stand right after which convolution,
    and the net says with HEAD which three layers are its batch norm – linear – batch norm, if it ends so.
    """
    net.eval().requires_grad_(False)
    packs = can_pack(device, dtype)
    for module in list(net.modules()):
        for conv_name, norm_name in getattr(module, "FOLDABLE", ()):
            conv, norm = getattr(module, conv_name), getattr(module, norm_name)
            if isinstance(conv, nn.Conv2d):
                conv = fold_convolution(conv, norm)
                setattr(module, conv_name, PackedConv2d(conv) if packs else conv)
                setattr(module, norm_name, nn.Identity())
    if net.HEAD:
        before, _, after = net.HEAD
        fold_head(*(getattr(net, name) for name in net.HEAD))
        setattr(net, before, nn.Identity())
        setattr(net, after, nn.Identity())
    return net.to(device, dtype, memory_format=torch.channels_last)


def _affine(norm: nn.BatchNorm2d | nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """A batch norm in use as x · scale + shift, (C,) each, in float64."""
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if not norm.affine:
        return scale, -norm.running_mean.double() * scale
    scale = scale * norm.weight.double()
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def fold_convolution(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Turn `conv`, which must have no bias, into norm(conv(x)), and return it."""
    scale, shift = _affine(norm)
    conv.weight.mul_(scale.float()[:, None, None, None])
    conv.bias = nn.Parameter(shift.float(), requires_grad=False)
    return conv


def fold_head(before: nn.BatchNorm2d, linear: nn.Linear, after: nn.BatchNorm1d) -> nn.Linear:
    """Turn `linear` into after(linear(before(x).flatten(1))), for x.flatten(1), and return it.

    Unlike a convolution with zero padding, a linear layer lets a batch norm before it be folded as well.
    """
    (scale, shift), (last_scale, last_shift) = _affine(before), _affine(after)
    weight = linear.weight.view(linear.out_features, len(scale), -1)  # (outputs, channels, pixels), a view
    bias = linear.bias + weight.sum(2, dtype=torch.float64) @ shift
    linear.bias.copy_(bias * last_scale + last_shift)
    weight.mul_((last_scale[:, None] * scale).float()[:, :, None])
    return linear
