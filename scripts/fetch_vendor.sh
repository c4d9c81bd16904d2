#!/bin/sh
# Fetch KaTeX, which sets the mathematics while the book is built, and keep only what the build and a page need.
# Needs npm; run by hand to move to another version (the result is committed; no build needs Node).
set -eu

VERSION=0.19.1
ROOT=$(cd "$(dirname "$0")/.." && pwd)
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

(cd "$TMP" && npm pack --silent "katex@$VERSION" && tar -xzf "katex-$VERSION.tgz")

OUT=$ROOT/vendor/katex
DIST=$TMP/package/dist
rm -rf "$OUT"
mkdir -p "$OUT/fonts"
cp "$DIST/katex.min.js" "$TMP/package/LICENSE" "$OUT/"
cp "$DIST/fonts/"*.woff2 "$OUT/fonts/"
# Every browser of the last ten years reads woff2: the two older formats of each font are left out.
sed -E 's/,url\([^)]*\.woff\) format\("woff"\),url\([^)]*\.ttf\) format\("truetype"\)//g' "$DIST/katex.min.css" > "$OUT/katex.min.css"
echo "katex $VERSION (npm), MIT" > "$OUT/VERSION"
du -sh "$OUT"
