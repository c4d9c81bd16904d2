"""JupyterLab opens and saves the chapters by book/_ext/chapters/lab.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book/_ext"))
c.ServerApp.contents_manager_class = "chapters.lab.Chapters"
