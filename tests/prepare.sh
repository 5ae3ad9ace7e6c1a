#!/bin/sh
# Installs what the tests need and a bare Debian with Rust lacks; does nothing where nothing is missing.
set -eu

say() { printf 'prepare: %s\n' "$1" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

if [ "$(id -u)" != 0 ]; then
    say "the tests run real systemd hosts in containers and need root; run them as root, best on a machine for tests"
    exit 1
fi
if ! has cargo; then
    say "Rust is missing; install it from https://rustup.rs and run this again"
    exit 1
fi
if ! [ -e /dev/fuse ] && ! modprobe fuse; then
    say "/dev/fuse is missing; the tests mount a disk that forgets, through FUSE"
    exit 1
fi

packages=''
need() { has "$1" || packages="$packages $2"; }
need systemd-nspawn systemd-container
need mmdebstrap mmdebstrap
need minisign minisign
need strace strace
need gcc gcc
need musl-gcc musl-tools
need make make
need python3 python3
need openssl openssl
need nginx nginx-light
need tinyproxy tinyproxy-bin
need prometheus prometheus
[ -d /usr/lib/postgresql ] || packages="$packages postgresql"
need ip iproute2
need curl curl
need git git
need shellcheck shellcheck
need rpmbuild rpm
need lintian lintian
need perl perl
need sqlite3 sqlite3
need jq jq
need chromium chromium
need chromedriver chromium-driver
need npm npm
{ has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; } || packages="$packages python3-venv"
# Without a font a page has no text to look at.
[ -n "$(find /usr/share/fonts -name '*.ttf' -print -quit 2>/dev/null)" ] || packages="$packages fonts-dejavu-core"
/usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || packages="$packages python3-prometheus-client"
if [ -n "$packages" ]; then
    if ! has apt-get; then
        say "these packages of Debian, or what they are called here, are missing:$packages"
        exit 1
    fi
    say "installing$packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # one word a package
    apt-get install -y -qq --no-install-recommends $packages >/dev/null
    # The tests start their own; those of the packages would go on from now on.
    case $packages in
        *' prometheus' | *' prometheus '*) if [ -d /run/systemd/system ]; then systemctl disable --now --quiet prometheus; fi ;;
    esac
    case $packages in
        *' postgresql'*) if [ -d /run/systemd/system ]; then systemctl disable --now --quiet postgresql; fi ;;
    esac
fi

# Asks the control plane whatever its description allows; in a place of its own, so that nothing else changes with it.
tests=$(cd "$(dirname "$0")" && pwd)
schemathesis=$tests/../target/lab/schemathesis
if ! cmp -s "$tests/api/requirements.txt" "$schemathesis/requirements.txt"; then
    say "installing schemathesis into target/lab/schemathesis"
    rm -rf "$schemathesis"
    python3 -m venv "$schemathesis"
    "$schemathesis/bin/pip" install --quiet --disable-pip-version-check --requirement "$tests/api/requirements.txt"
    cp "$tests/api/requirements.txt" "$schemathesis/requirements.txt"
fi

# Looks for what people who do not see well cannot use; from whichever registry npm is told to use, to the byte of the lock.
axe=$tests/../crates/control-plane/tests/console/axe
installed=$tests/../target/lab/axe-core
if ! cmp -s "$axe/package-lock.json" "$installed/package-lock.json"; then
    say "installing axe-core into target/lab/axe-core"
    rm -rf "$installed.new" "$installed"
    mkdir -p "$installed.new"
    cp "$axe/package.json" "$axe/package-lock.json" "$installed.new/"
    npm ci --prefix "$installed.new" --ignore-scripts --no-audit --no-fund --silent
    mv "$installed.new" "$installed"
fi

# Keeps artifacts as an S3-compatible store does, and checks every signature; in a place of its own like the others.
store=$tests/../target/lab/s3s-fs
if [ "$("$store/bin/s3s-fs" --version 2>/dev/null)" != 's3s-fs 0.14.1' ]; then
    say "installing s3s-fs into target/lab/s3s-fs; this takes some minutes"
    cargo install --quiet --locked --root "$store" --target-dir "$store/build" --features binary s3s-fs@0.14.1
    rm -rf "$store/build"
fi

if has rustup; then
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
    target=$(uname -m)-unknown-linux-musl
    [ -d "$(rustc --print target-libdir --target "$target")" ] || rustup target add "$target"
fi
