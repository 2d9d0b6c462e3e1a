"""The networks over tokens: against other implementations, what they may see, and that each learns order or place."""

import math

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from unwonted.nets import (
    AttentiveGRU,
    ColumnTokens,
    ResidualLayers,
    ResNet1D,
    TemporalCNN,
    TransformerEncoder,
    bounded,
    dropped,
    initialise,
    initialise_for_relu,
)

WIDTH, TOKENS = 16, 12


def networks() -> dict[str, tuple[nn.Module, int]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found: dict[str, tuple[nn.Module, int]] = {
            "transformer": (TransformerEncoder(WIDTH, 2, 4, 0.2), WIDTH),
            "tcn": (TemporalCNN(WIDTH, 4, 3, 0.2), WIDTH),
            "gru": (AttentiveGRU(WIDTH, 1, 0.2), WIDTH),
            "resnet": (ResNet1D(WIDTH, 3, 8, 0.2), 8),
        }
    for network, _ in found.values():
        initialise(network, Generator().manual_seed(1))
        if isinstance(network, AttentiveGRU | TemporalCNN):
            network.start(Generator().manual_seed(1))
    return found


def tokens(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, TOKENS, WIDTH, generator=Generator().manual_seed(seed))


@pytest.mark.parametrize("name", networks())
def test_shapes_gradients_and_dropout_from_the_generator_alone(name: str) -> None:
    network, outputs = networks()[name]
    x = tokens(32)
    before = torch.get_rng_state()
    drawn = [network(x, Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(before, torch.get_rng_state())
    assert drawn[0].shape == (32, outputs)
    torch.testing.assert_close(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2])
    drawn[0].square().sum().backward()
    for path, weights in network.named_parameters():
        assert weights.grad is not None, path
        assert weights.grad.abs().sum() > 0, path


@pytest.mark.parametrize("name", networks())
def test_a_record_is_read_by_itself_in_evaluation(name: str) -> None:
    network, _ = networks()[name]
    network.eval()
    x = tokens(8)
    alone = torch.cat([network(x[i : i + 1]) for i in range(8)])
    torch.testing.assert_close(network(x), alone, rtol=1e-5, atol=1e-6)


def test_the_temporal_network_sees_only_the_past_and_all_of_it() -> None:
    network = TemporalCNN(WIDTH, 4, 3, 0.0)
    network.start(Generator().manual_seed(0))
    x = tokens(1).requires_grad_()
    states = x.transpose(1, 2)
    for block in network.blocks:
        states = block(states, None)
    for at in (0, 5, TOKENS - 1):
        (gradient,) = torch.autograd.grad(states[0, :, at].sum(), x, retain_graph=True)
        seen = gradient[0].abs().sum(1) > 0
        assert not seen[at + 1 :].any()
        assert seen[: at + 1].all()
    torch.testing.assert_close(network(x), states[:, :, -1])


def test_the_transformer_is_that_of_pytorch() -> None:
    network = TransformerEncoder(WIDTH, 1, 4, 0.0)
    initialise(network, Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        layer = nn.TransformerEncoderLayer(
            WIDTH, 4, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
    block = network.blocks[0]
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(block.read.weight)
        layer.self_attn.in_proj_bias.copy_(block.read.bias)
        layer.self_attn.out_proj.load_state_dict(block.mix.state_dict())
        layer.linear1.load_state_dict(block.widen.state_dict())
        layer.linear2.load_state_dict(block.narrow.state_dict())
    x = tokens(5)
    with_start = torch.cat([network.start_token.expand(5, 1, -1), x], 1)
    wanted = network.last(layer.train()(with_start)[:, 0])
    torch.testing.assert_close(network(x), wanted, rtol=1e-4, atol=1e-5)


def test_attention_weighs_the_states_of_the_gru() -> None:
    network = AttentiveGRU(WIDTH, 1, 0.0)
    x = tokens(3)
    states, _ = network.gru(x)
    weights = (torch.tanh(states @ network.key.weight.T + network.key.bias) @ network.query.weight.T).squeeze(-1)
    weights = weights.exp() / weights.exp().sum(1, keepdim=True)
    torch.testing.assert_close(network(x), (states * weights[..., None]).sum(1))


@pytest.mark.parametrize("name", networks())
def test_each_learns_which_of_two_tokens_is_larger(name: str) -> None:
    network, outputs = networks()[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Linear(outputs, 1)
        place = nn.Parameter(torch.randn(TOKENS, WIDTH) / 4)  # as each column's own bias
    descent = torch.optim.Adam([*network.parameters(), *head.parameters(), place], lr=3e-3)

    def asked(n: int, seed: int) -> tuple[Tensor, Tensor]:
        x = tokens(n, seed)
        return x, (x[:, 3, 0] > x[:, 8, 0]).float()

    generator = Generator().manual_seed(0)
    for step in range(250):
        x, y = asked(128, step)
        loss = nn.functional.binary_cross_entropy_with_logits(head(network(x + place, generator)).squeeze(1), y)
        descent.zero_grad()
        loss.backward()
        descent.step()
    network.eval()
    x, y = asked(1000, 9999)
    assert ((head(network(x + place)).squeeze(1) > 0) == y.bool()).float().mean() > 0.8


def test_a_token_holds_its_own_columns_inputs_and_no_others() -> None:
    layer = ColumnTokens([1, 0, 1, 2], 5)
    layer.start(Generator().manual_seed(0))
    x = torch.randn(4, 4, generator=Generator().manual_seed(0))
    found = layer(x)
    assert found.shape == (4, 3, 5)
    sorted_inputs = [[1], [0, 2], [3]]
    at = 0
    for column, mine in enumerate(sorted_inputs):
        wanted = x[:, mine] @ layer.weight[at : at + len(mine)] + layer.bias[column]
        torch.testing.assert_close(found[:, column], wanted)
        at += len(mine)


def test_dropout_keeps_the_mean_and_does_nothing_without_a_generator() -> None:
    x = torch.ones(4000)
    found = dropped(x, 0.3, Generator().manual_seed(0))
    assert (found == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert found.mean().item() == pytest.approx(1, abs=0.04)
    assert dropped(x, 0.3, None) is x
    network = ResidualLayers(8, 1, dropout=0.5)
    assert torch.equal(network(torch.ones(2, 8)), network(torch.ones(2, 8)))
    assert (network(torch.ones(2, 8), Generator().manual_seed(0)) == 0).any()


def test_bounded_numbers_keep_their_order_and_small_ones_their_size() -> None:
    x = torch.linspace(-40, 40, 401, dtype=torch.float64)
    found = bounded(x, 5.0)
    assert (found.diff() > 0).all()
    assert found.abs().max() < 5
    assert bounded(torch.tensor(0.1), 5.0).item() == pytest.approx(0.1, rel=1e-3)


def test_layers_that_are_added_up_start_with_the_variance_of_all_their_inputs() -> None:
    with torch.random.fork_rng(devices=[]):
        layers = [nn.Linear(300, 200), nn.Linear(100, 200, bias=False)]
    bias = layers[0].bias.detach().clone()
    initialise_for_relu(layers, Generator().manual_seed(0))
    for layer in layers:
        assert layer.weight.var().item() == pytest.approx(2 / 400, rel=0.05)
    assert torch.equal(layers[0].bias, bias)


def test_residual_layers_add_and_tell_large_records_from_small_ones() -> None:
    network = ResidualLayers(8, 2, dropout=0.0)
    initialise(network, Generator().manual_seed(0))
    x = np.random.default_rng(0).normal(size=(5, 8))

    def silu(h: np.ndarray) -> np.ndarray:
        return h / (1 + np.exp(-h))

    h = x
    for layer in network.layers:
        h = h + silu(h) @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
    found = network.double()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, silu(h), rtol=1e-6, atol=1e-9)
    assert np.abs(network(torch.from_numpy(100 * x)).detach().numpy()).mean() > 20 * np.abs(found).mean()


def test_the_convolutions_are_those_of_pytorch_with_normalised_weights() -> None:
    network = TemporalCNN(WIDTH, 1, 3, 0.0)
    network.start(Generator().manual_seed(0))
    (block,) = network.blocks
    ours = block.convolutions[0]
    with torch.random.fork_rng(devices=[]):
        theirs = weight_norm(nn.Conv1d(WIDTH, WIDTH, 3))
    with torch.no_grad():
        ours.length.mul_(1.7)
        theirs.parametrizations.weight.original0.copy_(ours.length[:, None, None])
        theirs.parametrizations.weight.original1.copy_(ours.direction)
        theirs.bias.copy_(ours.bias)
    x = tokens(3).transpose(1, 2)
    torch.testing.assert_close(ours(x), theirs(nn.functional.pad(x, (2, 0))))
    bound = 1 / math.sqrt(3 * WIDTH)
    assert ours.direction.abs().max() <= bound
    assert ours.direction.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15)
