"""Write `book/assets/claim.svg`, the README's picture: the first frame of the front page's figure, as it was built.

make book && .venv/bin/python scripts/readme_picture.py
"""

import json
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    folder = ROOT / "_build/html/_images/explore/fig-claim"
    first = next(
        frame for frame in json.loads((folder / "data.json").read_text(encoding="utf8"))["frames"] if frame["start"]
    )
    shutil.copyfile(folder / first["file"], ROOT / "book/assets/claim.svg")


if __name__ == "__main__":
    main()
