#!/bin/sh
# Fetch KaTeX, which sets the mathematics while the book is built, and MiniSearch, which searches in the search page; keep
# only what the build and a page need. Needs npm; run by hand to move to another version (the result is committed; no
# build needs Node).
set -eu

KATEX=0.19.1
MINISEARCH=7.2.0
ROOT=$(cd "$(dirname "$0")/.." && pwd)
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

# What npm holds under a name and version, in $TMP/$1.
fetch() {
  mkdir "$TMP/$1"
  (cd "$TMP/$1" && npm pack --silent "$1@$2" > /dev/null && tar -xzf "$1-$2.tgz" --strip-components 1)
}

fetch katex $KATEX
OUT=$ROOT/vendor/katex
DIST=$TMP/katex/dist
rm -rf "$OUT"
mkdir -p "$OUT/fonts"
cp "$DIST/katex.min.js" "$TMP/katex/LICENSE" "$OUT/"
cp "$DIST/fonts/"*.woff2 "$OUT/fonts/"
# Every browser of the last ten years reads woff2: the two older formats of each font are left out.
sed -E 's/,url\([^)]*\.woff\) format\("woff"\),url\([^)]*\.ttf\) format\("truetype"\)//g' "$DIST/katex.min.css" > "$OUT/katex.min.css"
echo "katex $KATEX (npm), MIT" > "$OUT/VERSION"

fetch minisearch $MINISEARCH
OUT=$ROOT/vendor/minisearch
rm -rf "$OUT"
mkdir -p "$OUT"
cp "$TMP/minisearch/LICENSE.txt" "$OUT/LICENSE"
# The plain script, which a page opened from a disk may load; without its map, which is not kept.
sed '/^\/\/# sourceMappingURL=/d' "$TMP/minisearch/dist/umd/index.js" > "$OUT/minisearch.js"
echo "minisearch $MINISEARCH (npm), MIT" > "$OUT/VERSION"

du -sh "$ROOT/vendor/"*
