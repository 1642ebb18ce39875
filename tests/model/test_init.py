import pytest
import torch
from torch import nn

from dlx.errors import RequestError
from dlx.model.models import SCHEMES, initialise


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 5),
        nn.BatchNorm2d(8),
        nn.Flatten(),
        nn.Linear(32, 16),
        nn.LayerNorm(16),
        nn.Linear(16, 4),
    )


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize(
    ("scheme", "reference", "options"),
    [
        ("kaiming_normal", nn.init.kaiming_normal_, {"nonlinearity": "relu", "mode": "fan_in"}),
        ("kaiming_uniform", nn.init.kaiming_uniform_, {"nonlinearity": "relu", "mode": "fan_in"}),
        ("xavier_normal", nn.init.xavier_normal_, {}),
        ("xavier_uniform", nn.init.xavier_uniform_, {}),
        ("orthogonal", nn.init.orthogonal_, {}),
        ("normal:0.02", nn.init.normal_, {"std": 0.02}),
        ("normal(5e-2)", nn.init.normal_, {"std": 0.05}),
    ],
)
def test_weights_are_torchs_own_draws_and_biases_zero(scheme: str, reference: object, options: dict) -> None:
    model, generator = network(), seeded()
    norms = [p.clone() for index in (1, 4) for p in model[index].parameters()]
    initialise(model, scheme, seeded())
    for index in (0, 3, 5):
        expected = reference(torch.empty_like(model[index].weight), generator=generator, **options)
        assert torch.equal(model[index].weight, expected)
        assert torch.equal(model[index].bias, torch.zeros_like(model[index].bias))
    assert all(map(torch.equal, norms, [p for index in (1, 4) for p in model[index].parameters()]))


@pytest.mark.parametrize(
    ("scheme", "deviation"),
    [
        ("kaiming_normal", (2 / 400) ** 0.5),
        ("kaiming_uniform", (2 / 400) ** 0.5),
        ("xavier_normal", (2 / 1000) ** 0.5),
        ("xavier_uniform", (2 / 1000) ** 0.5),
        ("normal:1", 1.0),
    ],
)
def test_the_deviation_is_the_published_formula(scheme: str, deviation: float) -> None:
    layer = nn.Linear(400, 600)
    initialise(layer, scheme, seeded())
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.01)
    assert layer.weight.mean().item() == pytest.approx(0, abs=0.01 * deviation)


def test_orthogonal_rows_are_orthonormal() -> None:
    layer = nn.Linear(40, 20)
    initialise(layer, "orthogonal", seeded())
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(20), atol=1e-5, rtol=0)


def test_zeros_sets_every_weight_to_zero() -> None:
    model = network()
    initialise(model, "zeros", seeded())
    assert not any(model[index].weight.any() or model[index].bias.any() for index in (0, 3, 5))
    assert model[1].weight.all()


def test_default_leaves_the_layers_own_draw_and_the_generator() -> None:
    model, generator = network(), seeded()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    initialise(model, "default", generator)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(generator.get_state(), seeded().get_state())


@pytest.mark.parametrize("scheme", [*SCHEMES, "normal:0.1"])
def test_no_scheme_touches_the_global_random_state(scheme: str) -> None:
    model = network()
    state = torch.get_rng_state()
    initialise(model, scheme, seeded())
    assert torch.equal(torch.get_rng_state(), state)


def test_layers_without_bias_are_also_drawn() -> None:
    layer = nn.Linear(4, 4, bias=False)
    initialise(layer, "zeros", seeded())
    assert not layer.weight.any()


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        (
            "kaiming_norml",
            r"model.init: there is no 'kaiming_norml'; did you mean 'kaiming_normal'\?.*orthogonal",
        ),
        ("glorot", "model.init: there is no 'glorot'"),
        ("normal", "model.init=normal: give the standard deviation"),
        ("normal:-1", "model.init=normal:-1: .* above 0"),
        ("normal(big)", r"model.init=normal\(big\): give the standard deviation"),
        ("normal:inf", "model.init=normal:inf"),
    ],
)
def test_a_wrong_scheme_is_refused_before_any_weight_changes(scheme: str, message: str) -> None:
    layer = nn.Linear(3, 3)
    before = layer.weight.clone()
    with pytest.raises(RequestError, match=message):
        initialise(layer, scheme, seeded())
    assert torch.equal(layer.weight, before)
