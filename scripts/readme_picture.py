"""Write `book/assets/claim.svg`, the README's picture: the front page's first figure, as the built book has it.

make book && .venv/bin/python scripts/readme_picture.py
"""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    front = json.loads((ROOT / "_build/jupyter_execute/index.ipynb").read_text())
    drawn = [
        o["data"]["image/svg+xml"]
        for cell in front["cells"]
        for o in cell.get("outputs", ())
        if "data" in o and "image/svg+xml" in o["data"]
    ]
    (ROOT / "book/assets/claim.svg").write_text("".join(drawn[0]))


if __name__ == "__main__":
    main()
