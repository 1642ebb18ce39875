"""A few training images before and after augmentation, to see what the net is shown."""

from dlx import rng
from dlx.engine.loop import order
from dlx.engine.run import Run
from dlx.run.probes import Images


def sample_images(run: Run, count: int) -> Images:
    """Return the first `count` images of epoch 1's order, or all if the training split has fewer.

    The augmentation is the run's and the draws are not: they have a generator of their own, since the
    run's would be further on in its stream.
    """
    inputs, labels_B = run.data.train.batch(order(run, 1)[:count])
    after = inputs
    if run.augment is not None:
        after = run.augment(inputs, rng.generator(run.seeds.augment, "images", 1, run.device))
    return Images(
        before=run.data.stored_unit(inputs).cpu().numpy(),
        after=run.data.stored_unit(after).cpu().numpy(),
        labels=labels_B.cpu().numpy(),
    )
