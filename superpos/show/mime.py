"""MIME types of what a cell leaves for the book's build, beside what it shows. They need no other module."""

CLAIM = "application/vnd.superpos.claim+json"  # a claim that was checked
DATA = "application/vnd.superpos.data+json"  # the numbers of a figure
PICTURES = "application/vnd.superpos.pictures+json"  # a figure as it is drawn on every sheet
TEXT = "application/vnd.superpos.text+svg"  # its first picture on a wide page, with letters that can be selected
FRAMES = "application/vnd.superpos.explore+json"  # all frames of a figure with sliders
