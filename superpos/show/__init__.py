"""The only part of `superpos` that draws or shows anything."""
