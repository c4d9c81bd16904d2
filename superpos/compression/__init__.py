"""Your own networks in, one network and a certificate out. Chapter 15."""

from superpos.compression.certificate import Certificate
from superpos.compression.choice import Option, Report
from superpos.compression.compress import compress
from superpos.compression.compressed import Compressed, load
from superpos.compression.records import CompressedRun
from superpos.compression.tuning import Tuning, halves, tune, tuned

__all__ = [
    "Certificate",
    "Compressed",
    "CompressedRun",
    "Option",
    "Report",
    "Tuning",
    "compress",
    "halves",
    "load",
    "tune",
    "tuned",
]
