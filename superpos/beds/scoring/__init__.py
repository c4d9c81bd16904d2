"""What a decomposition of a test bed is worth. Chapter 16."""

from superpos.beds.scoring.decomposition import SHARED, Decomposition
from superpos.beds.scoring.held import Held
from superpos.beds.scoring.latents import Detection, latents
from superpos.beds.scoring.scores import Scores, score
from superpos.beds.scoring.values import Score

__all__ = ["SHARED", "Decomposition", "Detection", "Held", "Score", "Scores", "latents", "score"]
