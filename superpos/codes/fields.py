"""Arithmetic in the finite field F_q, q a prime power, by small tables, and in products of such fields."""

from collections.abc import Callable
from functools import cached_property, lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor


def prime_power(q: int) -> tuple[int, int] | None:
    """The pair (p, k) with q = p^k and p prime, or None where q is no prime power."""
    if q < 2:
        return None
    p = next((p for p in range(2, int(q**0.5) + 1) if q % p == 0), q)
    k = 0
    while q % p == 0:
        q, k = q // p, k + 1
    return (p, k) if q == 1 else None


def largest_prime_power(limit: int) -> int:
    """The largest prime power ≤ limit; 0 if there is none."""
    return next((q for q in range(limit, 1, -1) if prime_power(q)), 0)


def factors(n: int) -> list[int]:
    """The prime powers whose product is n, each of another prime; none for n = 1."""
    found, p = [], 2
    while n > 1:
        if p * p > n:
            p = n
        q = 1
        while n % p == 0:
            n, q = n // p, q * p
        found += [q] if q > 1 else []
        p += 1
    return found


class Field:
    """The finite field F_q on the elements 0 … q−1: the base-p digits of an element are a polynomial's coefficients.

    Sums are taken digit by digit, products through logarithms to a primitive element.
    """

    def __init__(self, q: int) -> None:
        found = prime_power(q)
        if found is None:
            raise ValueError(f"q is {q}; a field has a prime power of elements, e.g. {largest_prime_power(max(q, 2))}")
        self.q, (self.p, self.k) = q, found

    def add(self, x: Int64[Tensor, "*#s"], y: Int64[Tensor, "*#s"]) -> Int64[Tensor, "*#s"]:
        """The sum x + y, entry by entry."""
        if self.k == 1:
            return (x + y) % self.p
        total, place = torch.zeros_like(x + y), 1
        for _ in range(self.k):
            total += ((x // place + y // place) % self.p) * place
            place *= self.p
        return total

    def multiply(self, x: Int64[Tensor, "*#s"], y: Int64[Tensor, "*#s"]) -> Int64[Tensor, "*#s"]:
        """The product x · y, entry by entry."""
        if self.k == 1:
            return x * y % self.p
        powers, logarithm = self._tables
        product = powers[(logarithm[x] + logarithm[y]) % (self.q - 1)]
        return torch.where((x == 0) | (y == 0), 0, product)

    @cached_property
    def _tables(self) -> tuple[Tensor, Tensor]:
        """g^0 … g^{q−2} of a primitive element g, and their logarithms."""
        powers = torch.tensor(_powers(self.p, self.k))
        logarithm = torch.zeros(self.q, dtype=torch.int64)
        logarithm[powers] = torch.arange(self.q - 1)
        return powers, logarithm


class Ring:
    """A product of fields with n elements 0 … n−1, one field for each prime of n: F_n itself if n is a prime power.

    The digits of an element, in the mixed base of the fields, are its components; sums and products are taken
    component by component. An element without a component 0 has an inverse.
    """

    def __init__(self, n: int) -> None:
        self.n, self.fields = n, [Field(q) for q in factors(n)]

    @property
    def points(self) -> int:
        """The largest number of elements any two of which differ by one with an inverse: the smallest field's size."""
        return min((field.q for field in self.fields), default=1)

    def point(self, c: int) -> int:
        """The element whose components are all c, for c < `points`: the difference of any two has no component 0."""
        value, place = 0, 1
        for field in self.fields:
            value, place = value + c * place, place * field.q
        return value

    def add(self, x: Int64[Tensor, "*#s"], y: Int64[Tensor, "*#s"]) -> Int64[Tensor, "*#s"]:
        """The sum x + y, entry by entry."""
        return self._each(Field.add, x, y)

    def multiply(self, x: Int64[Tensor, "*#s"], y: Int64[Tensor, "*#s"]) -> Int64[Tensor, "*#s"]:
        """The product x · y, entry by entry."""
        return self._each(Field.multiply, x, y)

    def _each(self, operation: Callable[[Field, Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
        result, place = torch.zeros_like(x + y), 1
        for field in self.fields:
            result += operation(field, x // place % field.q, y // place % field.q) * place
            place *= field.q
        return result


@lru_cache
def _powers(p: int, k: int) -> list[int]:
    """The powers of x modulo the first monic polynomial of degree k for which x runs through all q − 1 of them."""
    q = p**k
    for polynomial in range(1, q):  # x^k = −polynomial, by its base-p digits
        low = [polynomial // p**i % p for i in range(k)]
        found, value = [1], [0, 1] + [0] * (k - 2)
        while (number := sum(c * p**i for i, c in enumerate(value))) not in (0, 1) and len(found) < q - 1:
            found.append(number)
            carry, value = value[-1], [0, *value[:-1]]
            value = [(v - carry * c) % p for v, c in zip(value, low, strict=True)]
        if len(found) == q - 1 and number == 1:
            return found
    raise AssertionError(f"there is a primitive polynomial of every degree; none found for {p}^{k}")
