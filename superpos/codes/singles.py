"""placeholder"""


def served(q: int, S: int, z: int, c: int) -> float:
    return min(1.0, z / c)
