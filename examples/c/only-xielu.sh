#!/bin/sh
# A static library of which a program sees the functions of xielu.h and nothing else, so that it
# links beside any other Rust library. Needs GNU binutils.
#
# only-xielu.sh FROM.a TO.a
set -eu
[ $# -eq 2 ] || { echo "usage: only-xielu.sh FROM.a TO.a" >&2; exit 2; }
object=$2.o
# Nothing of Rust's own names begins so.
functions=$(readelf --syms --wide "$1" 2>/dev/null \
    | awk '$5 == "GLOBAL" && $7 != "UND" && $8 ~ /^xielu_/ { print "-u", $8 }')
[ "$functions" ] || { echo "$1 has no function of xielu" >&2; exit 1; }
# One object of what the functions need. Groups would be thrown away beside a library with the same.
# shellcheck disable=SC2086 # words are meant to be split
ld -r --force-group-allocation $functions -o "$object" "$1"
# The standard library carries its bitcode, which is none any more once linked.
objcopy --wildcard --keep-global-symbol='xielu_*' -R .llvmbc -R .llvmcmd "$object"
rm -f "$2"
ar rcs "$2" "$object"
rm "$object"
