#!/usr/bin/env bash
# Builds kube-apiserver, etcd and kubectl from Go modules into bin/k8s, unless they exist.
# The first build takes several minutes on two cores; it shows its progress. Later calls return at once.
set -euo pipefail

# With an existing control plane, e.g. kubebuilder's, there is nothing to build.
assets=${KUBEBUILDER_ASSETS:-}
if [[ -n $assets && -x $assets/kube-apiserver && -x $assets/etcd && -x $assets/kubectl ]]; then
  exit 0
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../bin/k8s}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$here"

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
minor=${minor%%.*}
stamp="$(cat go.mod go.sum build.sh | sha256sum | cut -d' ' -f1) $(go env GOVERSION GOOS GOARCH | tr '\n' ' ')"

if [[ -f $out/.stamp && $(<"$out/.stamp") == "$stamp" && -x $out/kube-apiserver && -x $out/etcd && -x $out/kubectl ]]; then
  exit 0
fi

# Without these the binaries report the version v0.0.0, and kubectl warns about the skew.
ldflags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  ldflags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
done

build() {
  local name=$1 package=$2 version total
  version=$(go list -f '{{.Module.Version}}' "$package")
  total=$(go list -deps "$package" | wc -l)
  echo "Building $name ($package $version, $total packages) ..." >&2
  # -v names each package as it is compiled; cached packages are not named.
  CGO_ENABLED=0 go build -trimpath -buildvcs=false -v -ldflags "$ldflags" -o "$out/$name" "$package" 2>&1 |
    awk -v name="$name" -v total="$total" '
      /^[a-zA-Z0-9.\/_-]+$/ { compiled++; if (compiled % 100 == 0) printf "  %s: %d of at most %d packages compiled\n", name, compiled, total; fflush(); next }
      { print; fflush() }' >&2
  echo "  $name is at $out/$name" >&2
}

started=$SECONDS
build etcd go.etcd.io/etcd/server/v3
build kubectl k8s.io/kubernetes/cmd/kubectl
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
echo "$stamp" >"$out/.stamp"
echo "The control plane was built in $((SECONDS - started)) s." >&2
