#!/usr/bin/env bash
# One upload with curl alone, as in the other clients of the matrix (see matrix.test.mjs).
#
# usage: curl_client.sh ENDPOINT FILE NAME STATE [--remember] [--checksum]
#
# The URL is kept in STATE, so the same command continues what an earlier process began.
set -euo pipefail

endpoint=$1 file=$2 name=$3 state=$4
wishes=" ${*:5} "
tus=(-H 'Tus-Resumable: 1.0.0')
size=$(stat -c %s "$file")

field() { sed -n "s/^$1: *\([^[:space:]]*\).*/\1/Ip"; }

if ! [ -s "$state" ]; then
  location=$(curl -sS -f -X POST "${tus[@]}" -H "Upload-Length: $size" \
    -H "Upload-Metadata: filename $(printf %s "$name" | base64 -w 0)" -D - -o /dev/null "$endpoint" | field location)
  # Path-absolute, as long as the gateway is not told its public URL.
  case $location in /*) location=$(sed -E 's#^([a-z]+://[^/]+).*#\1#' <<<"$endpoint")$location ;; esac
  printf %s "$location" >"$state"
fi
url=$(<"$state")

for ((attempt = 0; attempt < 50; attempt++)); do
  offset=$(curl -sS -f -I "${tus[@]}" "$url" | field upload-offset)
  if [ "$offset" = "$size" ]; then
    printf '%s\n' "$url"
    exit
  fi
  sum=()
  case $wishes in
  *' --checksum '*)
    digest=$(tail -c "+$((offset + 1))" "$file" | sha1sum | cut -d ' ' -f 1 | sed 's/../\\x&/g')
    # shellcheck disable=SC2059  # the digest as bytes: \x12\x34 and so on
    sum=(-H "Upload-Checksum: sha1 $(printf "$digest" | base64)")
    ;;
  esac
  # -C: curl itself leaves out what is there already.
  curl -sS -f -X PATCH "${tus[@]}" -H "Upload-Offset: $offset" "${sum[@]}" \
    -H 'Content-Type: application/offset+octet-stream' -C "$offset" -T "$file" "$url" || sleep 0.2
done
echo "no end after $attempt attempts" >&2
exit 1
