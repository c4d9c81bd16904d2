"""The residual construction (Bushnaq & Mendel 2024), rebuilt from the post's outline and formulas.

Four steps, each a function that shows its matrix: the embedding matrix (chapter 3), reading (chapter 3), writing to
the neurons (chapter 4), writing back (chapter 5). `embed` puts them together.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from superpos.checks import check_copies, check_count, check_seed
from superpos.circuits import Circuits, ResidualCircuits, carry_bias
from superpos.codes import incidence
from superpos.network import Layer, Network
from superpos.sampling import distinct, generator

__all__ = [
    "ResidualLayer",
    "ResidualNetwork",
    "choose_neurons",
    "embed",
    "embedding_matrix",
    "reading",
    "writing_back",
    "writing_to_neurons",
]

_CIRCUITS = 32  # drawn at once: the draws, their QR and its copies stay small beside E
_SAMPLES = 256  # read at once: a gather over a whole batch could outgrow the weights


def embedding_matrix(
    T: int, d: int, D: int, *, seed: int, orthonormal: bool = True, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "T D d"]:
    """Random matrices E_t ∈ R^{D×d}, one a circuit: where in the residual stream its d coordinates lie.

    The columns of one E_t are orthonormal, or with orthonormal=False its entries are N(0, 1/D). Either way the
    entries of E_tᵀE_s, s ≠ t, have mean 0 and variance 1/D. Chapter 3.

    Raises:
        ValueError: if d > D, or a size is not positive.
    """
    check_count("T", T)
    check_count("D", D)
    check_count("d", d, at_most=D, why=f"d orthonormal columns need D ≥ d, and D is {D}")
    g = generator(seed)
    E = torch.empty((T, d, D), dtype=dtype)  # row k of E[t] is column k of E_t: what the sparse products below need
    for block in E.split(_CIRCUITS):
        gauss = torch.randn((len(block), D, d), generator=g, dtype=dtype)
        if orthonormal:
            Q, R = torch.linalg.qr(gauss)
            # Without the sign the columns would lean towards one corner.
            block.copy_(Q.mT).mul_(R.diagonal(dim1=1, dim2=2).sign()[:, :, None])
        else:
            block.copy_(gauss.mT / D**0.5)
    return E.mT


def reading(E: Float[Tensor, "T D d"], w_in: Float[Tensor, "T m d"]) -> Float[Tensor, "T m D"]:
    """The read-off R_t = w_in,t E_tᵀ: row (t, j) times the stream is what small neuron (t, j) is given. Chapter 3."""
    return w_in @ E.mT


def choose_neurons(T: int, m: int, M: int, S: int, *, seed: int) -> Int64[Tensor, "T m S"]:
    """The S large neurons, drawn at random, that carry each small neuron: the ones of V_t, as indices.

    The m·S large neurons of one circuit are distinct; different circuits are drawn independently. Chapter 4.

    Raises:
        ValueError: if S·m > M, or a size is not positive.
    """
    check_count("T", T)
    check_copies(S, m, M)
    return distinct(T, m * S, M, generator=generator(seed)).view(T, m, S)


def writing_to_neurons(
    E: Float[Tensor, "T D d"], w_in: Float[Tensor, "T m d"], neurons: Int64[Tensor, "T m S"], M: int
) -> Float[Tensor, "M D"]:
    """The input weights W_in = Σ_t V_t w_in,t E_tᵀ: a neuron adds up all small ones that it carries. Chapter 4."""
    return _product(_scatter(w_in, neurons, M), E)


def writing_back(
    E: Float[Tensor, "T D d"], w_out: Float[Tensor, "T d m"], neurons: Int64[Tensor, "T m S"], M: int
) -> Float[Tensor, "D M"]:
    """The output weights W_out = (1/S) Σ_t E_t w_out,t V_tᵀ: S copies are averaged and written back. Chapter 5."""
    S = neurons.shape[-1]
    return _product(_scatter(w_out.mT / S, neurons, M), E).mT


class ResidualLayer(Layer):
    """A layer that adds to what it reads, A ← A + ReLU(A W_inᵀ + b) W_outᵀ. Chapter 3.

    W_out is kept transposed, so that both matrices have one row for each neuron.
    """

    def __init__(self, W_in: Float[Tensor, "M D"], b: Float[Tensor, " M"], W_out_T: Float[Tensor, "M D"]) -> None:
        super().__init__()
        self.W_in = nn.Parameter(W_in, requires_grad=False)
        self.b = nn.Parameter(b, requires_grad=False)
        self.W_out_T = nn.Parameter(W_out_T, requires_grad=False)

    @property
    def width(self) -> int:
        return self.W_in.shape[1]

    def pre_activations(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B M"]:
        """A W_inᵀ + b."""
        return torch.addmm(self.b, A, self.W_in.mT)

    def neurons(self, A: Float[Tensor, "B D"]) -> Float[Tensor, "B M"]:
        return self.pre_activations(A).relu_()

    def write(self, A: Float[Tensor, "B D"], neurons: Float[Tensor, "B M"]) -> Float[Tensor, "B D"]:
        return torch.addmm(A, neurons, self.W_out_T)

    def dense(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.W_in, self.b, self.W_out_T.mT


class ResidualNetwork(Network):
    """T residual circuits in one residual network of width D with M neurons a layer. Chapters 3 to 5.

    Attributes:
        E: the embedding matrix; its column d, where there is one, holds the on-indicators.
        neurons: which large neurons carry small neuron (t, j), by layer.
    """

    E: Float[Tensor, "T D k"]
    neurons: Int64[Tensor, "L T m S"]

    def __init__(
        self, d: int, E: Float[Tensor, "T D k"], neurons: Int64[Tensor, "L T m S"], layers: list[ResidualLayer]
    ) -> None:
        super().__init__()
        self.T, self.d = E.shape[0], d
        self.register_buffer("E", E)
        self.register_buffer("neurons", neurons)
        self.layers = nn.ModuleList(layers)

    @property
    def M(self) -> int:
        """Neurons in a layer."""
        return self._layers()[0].dense()[1].shape[0]

    @property
    def indicator(self) -> bool:
        """Whether each circuit has one more coordinate, its on-indicator."""
        return self.E.shape[2] > self.d

    def encode(self, active: Int64[Tensor, "B z"], inputs: Float[Tensor, "B z d"]) -> Float[Tensor, "B D"]:
        """X^0 = Σ_t E_t x_t over the active circuits, each x_t followed by a 1 where there are on-indicators."""
        if self.indicator:
            inputs = torch.cat([inputs, torch.ones_like(inputs[..., :1])], dim=-1)
        k = inputs.shape[-1]
        columns = active[..., None] * k + torch.arange(k, device=active.device)
        # Σ of the columns of E that a sample uses, each times its coordinate of x; none is copied.
        return embedding_bag(columns.flatten(1), _rows(self.E), mode="sum", per_sample_weights=inputs.flatten(1))

    def read(self, A: Float[Tensor, "B D"], active: Int64[Tensor, "B z"], layer: int) -> Float[Tensor, "B z d"]:
        """x̂_t = E_tᵀ X."""
        found = []
        for X, t in zip(A.split(_SAMPLES), active.split(_SAMPLES), strict=True):
            columns = [(X[:, None, :] @ self.E[t[:, i]])[:, 0, : self.d] for i in range(t.shape[1])]
            found.append(torch.stack(columns, dim=1))
        return torch.cat(found)

    def read_all(self, A: Float[Tensor, "B D"], layer: int) -> Float[Tensor, "B T d"]:
        return (A @ _rows(self.E).mT).view(len(A), self.T, -1)[..., : self.d]

    def masked(
        self,
        circuits: Circuits,
        active: Int64[Tensor, "B z"],
        inputs: Float[Tensor, "B z d"],
        mask: Float[Tensor, "B T"],
    ) -> Iterator[tuple[Float[Tensor, "B M"], Float[Tensor, "B D"]]]:
        """The `states` with the weights of circuit t, V_t w_in,t E_tᵀ and E_t w_out,t V_tᵀ / S, multiplied by mask_t.

        The threshold is shared, and stays; a bias beyond it is a column of w_in.
        """
        if not isinstance(circuits, ResidualCircuits):
            raise TypeError(f"circuits is {type(circuits).__name__}; a residual network carries ResidualCircuits")
        E = _rows(self.E[..., : self.d])
        X, (m, S), missing = self.encode(active, inputs), self.neurons.shape[2:], (1 - mask).mT[..., None]
        for l, layer in enumerate(self.layers):
            assert isinstance(layer, ResidualLayer)
            w_in, w_out = circuits.w_in[l], circuits.w_out[l]
            if self.indicator:
                w_in = torch.cat([w_in, (circuits.bias[l] - layer.b[0])[..., None]], dim=-1)
            V = incidence(self.neurons[l].flatten(0, 1), self.M, X)
            x = (X @ _rows(self.E).mT).unflatten(1, (self.T, -1)).transpose(0, 1)  # circuit, sample, coordinate
            lost = (missing * (x @ w_in.mT)).mT.flatten(0, 1)  # small neuron, sample
            neurons = (layer.pre_activations(X) - (V.mT @ lost).mT).relu()
            h = (V @ neurons.mT).unflatten(0, (self.T, m)).mT / S
            written = (missing * (h @ w_out.mT)).transpose(0, 1).flatten(1)
            X = layer.write(X, neurons) - written @ E
            yield neurons, X


def embed(
    circuits: ResidualCircuits,
    D: int,
    M: int,
    S: int,
    *,
    seed: int,
    orthonormal: bool = True,
    threshold: float | None = None,
) -> ResidualNetwork:
    """One residual network of width D that carries T residual circuits, X ← X + W_out ReLU(W_in X + B).

    With E_t the embedding matrix and V_t ∈ {0,1}^{M×m} the S large neurons of each small one,
    W_in = Σ_t V_t w_in,t E_tᵀ, W_out = (1/S) Σ_t E_t w_out,t V_tᵀ, B = −θ. The neurons are drawn anew in every layer.

    Biases must be silent in an inactive circuit. What the common threshold θ does not cover is carried by an
    on-indicator, one more coordinate that is 1 for an active circuit: w_in,t gets the column b_t + θ. It is only
    added where a bias needs it. Chapters 3 to 5.

    Args:
        circuits: T residual circuits.
        D: width of the residual stream.
        M: neurons in a layer of the large network.
        S: copies of each small neuron.
        seed: of the embedding matrix and the neurons.
        orthonormal: False takes Gaussian embedding matrices.
        threshold: θ ≥ 0 of all layers. None takes, for each layer, the one bias −θ ≤ 0 that all its neurons have,
            and 0 where they differ.

    Raises:
        TypeError: if circuits is not ResidualCircuits, or a number is of the wrong type.
        ValueError: if S·m > M, d (with its on-indicator) > D, or a size is not positive.

    Source: Bushnaq & Mendel (2024); a reconstruction.
    """
    w_in, w_out, theta = carry_bias(circuits, threshold)
    L, T, m, d = w_in.shape
    check_count("D", D)
    check_copies(S, m, M)
    check_seed("seed", seed)
    if d > D:
        indicator = " and its on-indicator" if d > circuits.d else ""
        raise ValueError(f"D is {D}; a circuit's d = {circuits.d} coordinates{indicator} need D ≥ {d}")
    # Seeds of their own: the same seed given to a family of circuits must not draw the same numbers.
    own, *by_layer = torch.randint(2**62, (L + 1,), generator=generator(seed)).tolist()
    # Drawn on the CPU, so that a seed means the same on every device.
    neurons = torch.stack([choose_neurons(T, m, M, S, seed=s) for s in by_layer]).to(w_in.device)
    E = embedding_matrix(T, d, D, seed=own, orthonormal=orthonormal, dtype=w_in.dtype).to(w_in.device)
    layers = [
        ResidualLayer(
            writing_to_neurons(E, w_in[l], neurons[l], M),
            E.new_full((M,), -theta[l]),
            writing_back(E, w_out[l], neurons[l], M).mT,
        )
        for l in range(L)
    ]
    return ResidualNetwork(circuits.d, E, neurons, layers)


def _rows(E: Float[Tensor, "T D d"]) -> Float[Tensor, "Td D"]:
    """All columns of all E_t as the rows of one matrix; a view of what `embedding_matrix` makes."""
    return E.mT.flatten(0, 1)


def _scatter(coefficients: Float[Tensor, "T m d"], neurons: Int64[Tensor, "T m S"], M: int) -> Tensor:
    """The sparse (M, T·d) matrix with coefficients[t, j, k] at ((each of neurons[t, j]), (t, k))."""
    T, m, d = coefficients.shape
    S = neurons.shape[-1]
    place = neurons.new_empty(2, T, m, S, d)
    place[0] = neurons[..., None]
    place[1] = torch.arange(T * d, device=neurons.device).view(T, 1, 1, d)
    values = coefficients[:, :, None, :].expand(T, m, S, d)
    return torch.sparse_coo_tensor(place.flatten(1), values.reshape(-1), (M, T * d), check_invariants=False)


def _product(sparse: Tensor, E: Float[Tensor, "T D d"]) -> Float[Tensor, "M D"]:
    """The sparse matrix times the rows of E, added up straight in the final matrix: no (T·m, D) intermediate.

    In place, since `@` would allocate the result twice.
    """
    return E.new_zeros(len(sparse), E.shape[1]).addmm_(sparse, _rows(E))
