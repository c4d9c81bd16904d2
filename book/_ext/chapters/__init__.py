"""Chapters as notebooks: what the offered notebooks and JupyterLab show of a chapter, whose files are MyST.

`plain` says a text of MyST in plain Markdown, with what `names` knows of the last build; `cells` takes the file of a
chapter apart into cells and puts it together again, byte for byte; `lab` lets JupyterLab open and save chapters so.
Nothing here needs Sphinx: the build (`superbook.notebooks`) stands on it, and a notebook server where none was built.
"""
