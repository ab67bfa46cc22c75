#!/bin/sh
# make-pages.sh POSTS OUT: a page for each text, whose first line is its title, and an index.
set -eu
mkdir -p "$2"
items=
for post in "$1"/*.txt; do
    name=$(basename "$post" .txt)
    title=$(head -n 1 "$post")
    {
        printf '<!doctype html><meta charset="utf-8"><title>%s</title>\n<h1>%s</h1>\n' "$title" "$title"
        tail -n +2 "$post" | sed 's|.*|<p>&</p>|'
    } > "$2/$name.html"
    items="$items<li><a href=\"$name.html\">$title</a></li>"
done
printf '<!doctype html><meta charset="utf-8"><title>Notes</title>\n<h1>Notes</h1>\n<ul>%s</ul>\n' "$items" > "$2/index.html"
