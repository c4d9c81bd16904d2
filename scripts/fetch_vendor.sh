#!/bin/sh
# Fetch the browser files that the site carries itself, and keep only what a page loads.
# Needs npm; run by hand to move to another version (the result is committed; no build needs Node).
set -eu

VERSION=3.2.2
ROOT=$(cd "$(dirname "$0")/.." && pwd)
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

(cd "$TMP" && npm pack --silent "mathjax@$VERSION" && tar -xzf "mathjax-$VERSION.tgz")

OUT=$ROOT/vendor/mathjax
FONTS=output/chtml/fonts/woff-v2
rm -rf "$OUT"
mkdir -p "$OUT/$FONTS"
cp "$TMP/package/es5/tex-chtml-full.js" "$OUT/"
cp "$TMP/package/es5/$FONTS/"*.woff "$OUT/$FONTS/"
cp "$TMP/package/LICENSE" "$OUT/LICENSE"
echo "mathjax $VERSION (npm), Apache-2.0" > "$OUT/VERSION"
du -sh "$OUT"
