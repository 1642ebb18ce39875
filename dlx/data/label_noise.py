"""Replaces a share of the training labels, to see how a setting fits wrong ones (Zhang et al., 2017).

Axes: N samples of the split.
"""

from dataclasses import replace

import torch

from dlx import rng
from dlx.data.dataset import Split


def with_label_noise(train: Split, share: float, classes: int, seed: int) -> Split:
    """Return the split with `share` of its labels drawn anew, each class as likely; some stay the same.

    Inputs are shared with the split that was given. The same seed replaces the same labels, a larger share
    more besides.
    """
    replaced = round(share * len(train))
    if replaced == 0:
        return train
    draws = rng.generator(seed, "label_noise")
    order_N = torch.randperm(len(train), generator=draws)
    drawn_N = torch.randint(classes, (len(train),), generator=draws)
    labels_N = train.labels.clone()
    index = order_N[:replaced]
    labels_N[index.to(labels_N.device)] = drawn_N[index].to(labels_N.device)
    return replace(train, labels=labels_N)
