#!/usr/bin/env bash
# Prints publish=true if CONTRIBUTING.md names this repository and the tag is this version's.
# Called with the repository as OWNER/NAME and the tag, at the root of the project.
set -euo pipefail
repository=$1 tag=$2
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
if ! grep -qF "https://mybinder.org/v2/gh/$repository/HEAD" CONTRIBUTING.md; then
  echo "publish=false"
  echo "CONTRIBUTING.md does not name $repository: nothing is published" >&2
elif [ "$tag" != "v$version" ]; then
  echo "the tag $tag is not v$version, the version in pyproject.toml" >&2
  exit 1
else
  echo "publish=true"
fi
