"""What the cells and the book's build agree on: MIME types of what a cell leaves for it, and how it is known there."""

CLAIM = "application/vnd.superpos.claim+json"  # a claim that was checked
DATA = "application/vnd.superpos.data+json"  # the numbers of a figure
PICTURES = "application/vnd.superpos.pictures+json"  # a figure as it is drawn on every sheet
TEXT = "application/vnd.superpos.text+svg"  # its first picture on a wide page, with letters that can be selected
FRAMES = "application/vnd.superpos.explore+json"  # all frames of a figure with sliders
PLANNER = "application/vnd.superpos.planner+json"  # the answers for the settings that the planner starts with

STATIC = "SUPERPOS_STATIC"  # set in the kernels of the build: every figure is drawn on every sheet, no claim may fail
