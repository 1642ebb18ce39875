import torch
from torch import nn

from dlx.model.airbench import EPSILON, SHARE, Airbench


def images(count=64, seed=0):
    """Smooth images, whose patches are correlated."""
    draws = torch.Generator().manual_seed(seed)
    return nn.functional.avg_pool2d(torch.randn(count, 3, 20, 20, generator=draws), 3, stride=1)


def fitted(**changes):
    net = Airbench((3, 18, 18), 10, width=8, **changes)
    net.fit(images())
    return net


def test_at_its_usual_width_it_has_the_sources_layers():
    net = Airbench((3, 32, 32), 10)
    convolutions = 24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert trained == 24 + 9 * convolutions + 2 * (64 + 256 + 256) + 10 * 256
    assert not net.whitening.weight.requires_grad


def test_the_first_layer_whitens_the_patches_of_the_inputs():
    net = Airbench((3, 18, 18), 10, width=8)
    x = images()
    net.fit(x)
    out_PF = net.whitening(x).permute(0, 2, 3, 1).reshape(-1, 24)
    assert torch.equal(out_PF[:, :12], -out_PF[:, 12:])
    covariance = (out_PF[:, :12].T @ out_PF[:, :12]) / len(out_PF)
    variances = covariance.diag()
    assert (covariance - variances.diag()).abs().max() < 1e-4
    patches = nn.functional.unfold(x, 2).transpose(1, 2).flatten(0, 1)
    own = torch.linalg.eigvalsh(patches.T @ patches / len(patches)).flip(0)
    torch.testing.assert_close(variances, own / (own + EPSILON), rtol=1e-3, atol=1e-4)


def test_a_shift_learns_64_times_as_fast():
    norm = Airbench((3, 18, 18), 10, width=8).body.block1.norm1
    x, slope = torch.randn(5, 8, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(8.0)
    before = norm(x)
    torch.testing.assert_close(before, nn.functional.batch_norm(x, None, None, training=True, eps=1e-12))
    (before.mean((0, 2, 3)) * slope).sum().backward()
    torch.optim.SGD([norm.shift], lr=0.01).step()
    moved = (norm(x) - before).mean((0, 2, 3))
    torch.testing.assert_close(moved, -0.01 * 64 * slope, rtol=1e-4, atol=1e-5)


def test_evaluation_averages_over_mirror_images():
    net, x = fitted().eval(), images(4)
    plain = fitted(mirror=False)
    plain.load_state_dict(net.state_dict())
    plain.eval()
    torch.testing.assert_close(net(x), (plain(x) + plain(x.flip(-1))) / 2)
    torch.testing.assert_close(net(x), net(x.flip(-1)))
    assert not torch.allclose(plain(x), plain(x.flip(-1)))
    net.train()
    assert not torch.allclose(net(x), net(x.flip(-1)))


def test_convolutions_begin_as_identities_and_outputs_small():
    net = fitted()
    weight = net.body.block2.conv2.weight
    assert torch.equal(weight[:, :, 1, 1], torch.eye(32))
    features = net.body[:-1](net.whitening(images(2)))
    torch.testing.assert_close(net._outputs(images(2)), features @ net.body.output.weight.T * SHARE)
