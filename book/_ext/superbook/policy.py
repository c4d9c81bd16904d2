"""A strict Content-Security-Policy: on every page, and as files for the usual static hosts.

A page may load from its own site alone; scripts are files, or one of the theme's few inline scripts, named by its
digest. Nothing is evaluated. `style-src` keeps 'unsafe-inline': KaTeX and the theme place things with `style="…"`.
Other sites may embed the pages, so `frame-ancestors` is not set.

Opened from a disk, a page has no site: `file:` lets it load its own files. Over a network it allows nothing.
"""

import base64
import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from sphinx.application import Sphinx

from .address import published
from .places import pages

SOURCES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
}
INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
META = re.compile(r'\s*<meta http-equiv="Content-Security-Policy"[^>]*>')
CHARSET = re.compile(r"<meta charset=[^>]*>")
ALSO = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin"}


def digests(page: str) -> set[str]:
    """The inline scripts of a page, as a policy names them."""
    found = (hashlib.sha256(script.encode()).digest() for script in INLINE.findall(page) if script.strip())
    return {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in found}


def policy(scripts: set[str], from_disk: bool = False) -> str:
    """The policy of a page with these inline scripts; `from_disk`: also when it is opened as a file."""
    sources = SOURCES | {"script-src": " ".join([SOURCES["script-src"], *sorted(scripts)])}
    own = "'self' file:" if from_disk else "'self'"
    return "; ".join(f"{name} {value}" for name, value in sources.items()).replace("'self'", own)


def with_policy(page: str) -> str:
    """The page with its policy, ahead of everything that the policy is about."""
    page = META.sub("", page)
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy(digests(page), from_disk=True)}">'
    return CHARSET.sub(lambda charset: f"{charset[0]}\n    {meta}", page, count=1)


def header_files(scripts: set[str], root: str = "/") -> dict[str, str]:
    """The headers of the whole site, as the usual static hosts read them, and the page for lost addresses.

    `root` is the site's path on its server. Netlify and GitHub's pages find 404.html by its name.
    """
    headers = {"Content-Security-Policy": policy(scripts)} | ALSO
    netlify = "\n".join(f"  {name}: {value}" for name, value in headers.items())
    nginx = "\n".join(f'add_header {name} "{value}" always;' for name, value in headers.items())
    apache = "\n".join(f'    Header always set {name} "{value}"' for name, value in headers.items())
    return {
        "_headers": f"/*\n{netlify}\n",
        "headers/nginx.conf": f"# Include this in the server block.\n{nginx}\nerror_page 404 {root}404.html;\n",
        "headers/apache.conf": (
            f"# For a server, or .htaccess.\n<IfModule mod_headers.c>\n{apache}\n</IfModule>\n"
            f"ErrorDocument 404 {root}404.html\n"
        ),
    }


def finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    site, scripts = Path(app.outdir), set()
    for path in pages(site):
        page = path.read_text(encoding="utf8")
        scripts |= digests(page)
        path.write_text(with_policy(page), encoding="utf8")
    root = urlsplit(published().site).path or "/"
    for name, text in header_files(scripts, root).items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(text, encoding="utf8")
