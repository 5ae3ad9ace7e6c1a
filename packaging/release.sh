#!/usr/bin/env bash
# Builds, signs and checks the artifacts of one release of the agent, and publishes them if asked to.
set -Eeuo pipefail
trap 'printf "release.sh: stopped by an unexpected failure in line %s\n" "$LINENO" >&2' ERR

usage() {
    cat <<'HELP'
Usage: packaging/release.sh VERSION --key PATH [options]

Builds a static agent for every target, signs each with minisign, checks each signature with the public keys
that the agents trust, and writes SHA256SUMS. With --publish the artifacts go to the control plane.

  VERSION              like 1.2.3 or 1.2.3-rc.1; a version is used once, for ever
  --key PATH           the secret minisign key; never inside this repository. minisign asks for its password,
                       once for each target

What is released:
  --target T           build this target; may be given again. Without it: x86_64-unknown-linux-musl and
                       aarch64-unknown-linux-musl, as far as this machine can build them
  --binary T=PATH      do not build target T, sign this binary, which was built elsewhere; may be given again
  --floor V            no version below V may ever follow this one on a host; it cannot be taken back
  --allow-dirty        build although the working tree has changes that are not committed

Where it goes:
  --out DIR            a folder that does not exist yet (default: target/dist/VERSION)
  --publish            publish with novactl; needs NOVACULA_URL and NOVACULA_TOKEN
  --channel C          with --publish: stable (default), beta or dev
  --notes-file F       with --publish: the release notes

Environment:
  NOVACULA_KEYS_DIR    the folder of the public keys *.pub that are built in (default: keys/)
  NOVACTL              the novactl to publish with (default: novactl)
  CARGO_TARGET_DIR     where cargo builds (default: target/)

When something goes wrong, nothing is published and --out is not there; correct it and run the same line again.
A release that was published stays published: `novactl release yank VERSION --reason WHY` takes it back.

Examples:
  packaging/release.sh 1.4.0 --key /media/stick/novacula-a.key
  packaging/release.sh 1.4.0 --key /media/stick/novacula-a.key --publish --channel beta --notes-file notes.md
  packaging/release.sh 1.4.0 --key /media/stick/novacula-a.key --binary x86_64-unknown-linux-musl=./novacula-agent
HELP
}

die() {
    printf 'release.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}
say() { printf '%s\n' "$1"; }
need() { command -v "$1" >/dev/null 2>&1 || die "the program $1 is needed and not installed: $2"; }
wrong() { die "$1; see packaging/release.sh --help" 2; }

is_version() {
    local number='(0|[1-9][0-9]*)' word='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
    [[ $1 =~ ^$number\.$number\.$number(-$word(\.$word)*)?$ ]]
}

# Whether the first version is above the second, by their numbers, and a release above its own candidates.
is_above() {
    local above=${1%%-*} below=${2%%-*}
    if [[ $above == "$below" ]]; then
        [[ $1 != *-* && $2 == *-* ]]
        return
    fi
    [[ $(printf '%s\n%s\n' "$above" "$below" | sort -V | tail -n 1) == "$above" ]]
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
default_targets=(x86_64-unknown-linux-musl aarch64-unknown-linux-musl)

version='' key='' floor='' out='' notes_file='' channel=stable publish=no allow_dirty=no
targets=()
declare -A binaries=()

while (($#)); do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --key | --floor | --out | --notes-file | --channel | --target | --binary)
        (($# > 1)) || wrong "$1 must be followed by a value, nothing follows"
        case $1 in
        --key) key=$2 ;;
        --floor) floor=$2 ;;
        --out) out=$2 ;;
        --notes-file) notes_file=$2 ;;
        --channel) channel=$2 ;;
        --target) targets+=("$2") ;;
        --binary)
            [[ $2 == ?*=?* ]] || wrong "--binary must be followed by TARGET=PATH, found '$2'"
            binaries[${2%%=*}]=${2#*=}
            targets+=("${2%%=*}")
            ;;
        esac
        shift 2
        ;;
    --publish) publish=yes && shift ;;
    --allow-dirty) allow_dirty=yes && shift ;;
    -*) wrong "there is no option $1" ;;
    *)
        [[ -z $version ]] || wrong "one VERSION is expected, found '$version' and '$1'"
        version=$1 && shift
        ;;
    esac
done

[[ -n $version ]] || wrong "VERSION is missing"
is_version "$version" || wrong "VERSION must be like 1.2.3 or 1.2.3-rc.1, found '$version'"
if [[ -n $floor ]]; then
    is_version "$floor" || wrong "--floor must be a version like 1.2.3, found '$floor'"
    ! is_above "$floor" "$version" || wrong "--floor must not be above the version itself, found $floor for $version"
fi
[[ $channel =~ ^(stable|beta|dev)$ ]] || wrong "--channel must be stable, beta or dev, found '$channel'"
[[ -n $key ]] || wrong "--key is missing: the path of the secret minisign key"
for target in "${targets[@]}"; do
    [[ $target =~ ^[a-z0-9_]+(-[a-z0-9_]+)+$ ]] || wrong "a target must be like x86_64-unknown-linux-musl, found '$target'"
done
[[ -z $(printf '%s\n' "${targets[@]}" | sort | uniq -d) ]] || wrong "each target can be given once"

need minisign "on Debian, apt install minisign"
need readelf "on Debian, apt install binutils"
need sha256sum "on Debian, apt install coreutils"
need git "on Debian, apt install git"

[[ -f $key && -r $key ]] || die "the secret key $key must be a readable file, it is not"
key=$(realpath -- "$key")
[[ $key != "$root"/* ]] ||
    die "the secret key must not be inside the repository, $key is: move it to offline storage, see keys/README.md"
[[ $(head -c 18 -- "$key") == 'untrusted comment:' ]] || die "the secret key must be a minisign key, $key is not"
key_mode=$(stat -c %a -- "$key")
[[ $key_mode == *00 ]] || say "warning: the secret key $key is open to others (mode $key_mode): chmod 600 it"

keys_dir=${NOVACULA_KEYS_DIR:-$root/keys}
[[ -d $keys_dir ]] || die "the folder of the public keys must be there, $keys_dir is not: see keys/README.md"
keys_dir=$(cd "$keys_dir" && pwd -P)
shopt -s nullglob
public_keys=("$keys_dir"/*.pub)
shopt -u nullglob
((${#public_keys[@]})) ||
    die "$keys_dir must hold the public keys (*.pub) that agents trust, it holds none: see keys/README.md"

if [[ -n $notes_file ]]; then
    [[ -f $notes_file && -r $notes_file ]] || die "the release notes $notes_file must be a readable file, they are not"
    notes_file=$(realpath -- "$notes_file")
fi
novactl=${NOVACTL:-novactl}
[[ $publish == no ]] || need "$novactl" "build it with cargo build --release -p novactl, and name it in NOVACTL"

out=${out:-$root/target/dist/$version}
[[ ! -e $out ]] || die "the folder $out must not exist yet, it does: remove it, or choose another with --out"

changes=$(git -C "$root" status --porcelain) || die "git must know this working tree, it does not"
if [[ -n $changes && $allow_dirty == no ]]; then
    die "the working tree must be clean, it has changes (git status): commit them, or give --allow-dirty"
fi

mkdir -p -- "$(dirname -- "$out")" || die "the folder of $out cannot be made"
work=$(mktemp -d -- "$out.XXXXXX") || die "no folder can be made beside $out"
trap 'rm -rf -- "$work"' EXIT

# What cargo and the crate ring need for a target: the standard library and a C compiler. Says what is missing.
missing_for() {
    local target=$1 libdir
    libdir=$(rustc --print target-libdir --target "$target" 2>/dev/null) || libdir=''
    if [[ -z $libdir || ! -d $libdir ]]; then
        say "the Rust target is not installed (rustup target add $target)"
    elif [[ -z $(c_compiler_for "$target") ]]; then
        say "no C compiler for it is installed (on Debian, $(c_compiler_package "$target"))"
    fi
}
c_compiler_for() {
    local target=$1 arch=${1%%-*} named candidate
    named=CC_${target//-/_}
    local candidates=("${!named:-}" "$arch-linux-musl-gcc")
    if [[ $arch == "$(uname -m)" ]]; then
        candidates+=(musl-gcc)
    else
        candidates+=("$arch-linux-gnu-gcc")
    fi
    for candidate in "${candidates[@]}"; do
        if [[ -n $candidate ]] && command -v "$candidate" >/dev/null 2>&1; then
            say "$candidate"
            return
        fi
    done
}
c_compiler_package() {
    if [[ ${1%%-*} == "$(uname -m)" ]]; then
        say "apt install musl-tools"
    else
        say "apt install gcc-${1%%-*}-linux-gnu"
    fi
}

build() {
    local target=$1 cc upper target_dir
    cc=$(c_compiler_for "$target")
    upper=${target//-/_}
    target_dir=${CARGO_TARGET_DIR:-$root/target}
    local settings=("CC_$upper=$cc" "NOVACULA_BUILD_VERSION=$version" "NOVACULA_KEYS_DIR=$keys_dir")
    # A foreign linker is named like the foreign compiler; the own one finds its way.
    [[ ${target%%-*} == "$(uname -m)" ]] || settings+=("CARGO_TARGET_${upper^^}_LINKER=$cc")
    (cd "$root" && env "${settings[@]}" cargo build --profile agent --locked \
        --target "$target" --target-dir "$target_dir" -p novacula-agent) ||
        die "cargo must build the agent for $target, it did not: its own words are above"
    binaries[$target]=$target_dir/$target/agent/novacula-agent
}

check_binary() {
    local file=$1 target=$2 arch=${2%%-*} machine printed
    machine=$(LC_ALL=C readelf -hW -- "$file" 2>/dev/null | sed -n 's/^ *Machine: *//p') || machine=''
    case $arch:$machine in
    x86_64:*X86-64* | aarch64:*AArch64*) ;;
    x86_64:* | aarch64:*) die "$file must be an ELF file for $arch, it is for '${machine:-nothing known}'" ;;
    *) say "note: whether $file fits $arch is not checked, this script does not know that architecture" ;;
    esac
    if [[ $(LC_ALL=C readelf -lW -- "$file") == *INTERP* || $(LC_ALL=C readelf -dW -- "$file") == *NEEDED* ]]; then
        die "$file must be static, it needs the libraries of its host: build it for a musl target"
    fi
    if [[ $arch != "$(uname -m)" ]]; then
        say "note: $target is foreign to this machine, so its --version is not run here"
        return
    fi
    printed=$("$file" --version 2>/dev/null) || die "$file must run here and print its version, it does not"
    [[ ${printed##* } == "$version" ]] ||
        die "$file must print version $version, it prints '$printed': it was built as another version"
}

sign() {
    local file=$1 target=$2 name comment
    name=$(basename -- "$file")
    comment="timestamp:$(date +%s) file:$name kind:agent version:$version target:$target${floor:+ floor:$floor}"
    minisign -S -H -s "$key" -m "$file" -x "$file.minisig" -t "$comment" -c "signature of $name" >/dev/null ||
        die "minisign must sign $name with $key, it did not: its own words are above"
    check_signature "$file" "$comment"
}

check_signature() {
    local file=$1 comment=$2 public_key said
    for public_key in "${public_keys[@]}"; do
        if said=$(minisign -V -Q -p "$public_key" -m "$file" -x "$file.minisig" 2>/dev/null); then
            [[ $said == "$comment" ]] || die "the trusted comment must read '$comment', it reads '$said'"
            say "signed with $(basename -- "$public_key" .pub): $(basename -- "$file")"
            return
        fi
    done
    die "the signature must be by a key of $keys_dir, it is by another: agents would refuse it, use the right --key"
}

chosen=("${targets[@]}")
((${#chosen[@]})) || chosen=("${default_targets[@]}")
artifacts=()
for target in "${chosen[@]}"; do
    if [[ -z ${binaries[$target]:-} ]]; then
        need cargo "install Rust by rustup, or give --binary"
        missing=$(missing_for "$target")
        if [[ -n $missing ]]; then
            ((!${#targets[@]})) || die "target $target was asked for and cannot be built: $missing"
            say "skipped $target: $missing"
            continue
        fi
        build "$target"
    fi
    [[ -f ${binaries[$target]} ]] || die "the binary for $target must be at ${binaries[$target]}, nothing is there"
    artifact=$work/novacula-agent-$version-$target
    install -m 0755 -- "${binaries[$target]}" "$artifact" || die "$artifact cannot be written"
    check_binary "$artifact" "$target"
    artifacts+=("$artifact:$target")
done
((${#artifacts[@]})) || die "at least one target must be built, none was: the reasons are above"

for artifact in "${artifacts[@]}"; do
    sign "${artifact%:*}" "${artifact##*:}"
done
(cd "$work" && sha256sum -- novacula-agent-* >SHA256SUMS && sha256sum --quiet -c SHA256SUMS) ||
    die "the checksums cannot be written"
chmod 0755 -- "$work"
mv -T -- "$work" "$out" || die "the artifacts cannot be moved to $out"
trap - EXIT
say "ready in $out (from commit $(git -C "$root" rev-parse --short HEAD)${changes:+, with changes that are not committed})"

publication=(release publish --version "$version" --kind agent --channel "$channel")
[[ -z $notes_file ]] || publication+=(--notes-file "$notes_file")
for artifact in "${artifacts[@]}"; do
    name=${artifact%:*}
    publication+=("$out/$(basename -- "$name")")
done
line=$(printf ' %q' "$novactl" "${publication[@]}")
if [[ $publish == yes ]]; then
    "$novactl" "${publication[@]}" ||
        die "the release is signed but not published: correct what novactl says above, then:$line"
else
    say "publish it with:$line"
fi
