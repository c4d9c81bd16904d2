"""Your own networks in, one network and a certificate out. Chapter 13."""

from superpos.compression.compress import compress
from superpos.compression.network import Compressed, CompressedRun

__all__ = ["Compressed", "CompressedRun", "compress"]
