#!/bin/bash
# Makes the packages of one agent binary: a .deb and a .rpm. See --help.
set -euo pipefail

usage() {
    cat <<'HELP'
Usage: packaging/package.sh [options]

Puts an agent into packages for Debian and its relatives (.deb) and for those of Red Hat and SUSE (.rpm). Both bring
the binary as a seed that never replaces one that has upgraded itself beyond it.

  --binary PATH   package this binary, best the signed artifact of packaging/release.sh; without it the agent is built
                  for this machine, static, trusting the keys in keys/
  --out DIR       where the packages go (default: target/packages)
  --only FORMAT   deb or rpm (default: both)

The version is the one that the binary prints. Packages of the same commit and binary are equal to the byte.
HELP
}

die() {
    printf 'package.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}
wrong() { die "$1; see packaging/package.sh --help" 2; }
need() { command -v "$1" >/dev/null 2>&1 || die "the program $1 is needed and not installed: on Debian, apt install $2"; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
binary='' out=$root/target/packages formats=(deb rpm)
while (($#)); do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --binary | --out | --only)
        (($# > 1)) || wrong "$1 must be followed by a value, nothing follows"
        case $1 in
        --binary) binary=$2 ;;
        --out) out=$2 ;;
        --only)
            [[ $2 == deb || $2 == rpm ]] || wrong "--only must be deb or rpm, found '$2'"
            formats=("$2")
            ;;
        esac
        shift 2
        ;;
    *) wrong "there is no option $1" ;;
    esac
done

if [[ -z $binary ]]; then
    target=$(uname -m)-unknown-linux-musl
    need cargo rustup
    need musl-gcc musl-tools
    (cd "$root" && cargo build --profile agent --locked --target "$target" --target-dir "$root/target" -p novacula-agent) ||
        die "cargo must build the agent for $target, it did not: its own words are above"
    binary=$root/target/$target/agent/novacula-agent
fi
[[ -f $binary ]] || die "the binary must be at $binary, nothing is there"

need readelf binutils
machine=$(LC_ALL=C readelf -hW -- "$binary" 2>/dev/null | sed -n 's/^ *Machine: *//p') || machine=''
case $machine in
*X86-64*) deb_architecture=amd64 rpm_architecture=x86_64 ;;
*AArch64*) deb_architecture=arm64 rpm_architecture=aarch64 ;;
*) die "$binary must be an ELF file for x86_64 or aarch64, it is for '${machine:-nothing known}'" ;;
esac

# What was built elsewhere for another machine has its version in its name, as release.sh writes it.
if [[ $rpm_architecture == "$(uname -m)" ]]; then
    version=$("$binary" --version 2>/dev/null) || die "$binary must run here and print its version, it does not"
    version=${version##* }
else
    version=$(basename -- "$binary" | sed -n "s/^novacula-agent-\(.*\)-$rpm_architecture-.*/\1/p")
fi
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
    die "$binary must have a version like 1.2.3 or 1.2.3-rc.1, it has '$version'"
# Both formats sort a candidate before its release by a tilde; a hyphen would begin the package's own revision.
package_version=${version/-/\~}
package_version=${package_version//-/.}

# The same input makes the same packages, on whatever day.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 1)}
export SOURCE_DATE_EPOCH
umask 022
mkdir -p -- "$out" || die "the folder $out cannot be made"
out=$(cd "$out" && pwd -P)
work=$(mktemp -d) || die "no temporary folder can be made"
trap 'rm -rf -- "$work"' EXIT

# What both packages have in common, below $1 and with units in $2.
stage() {
    local tree=$1 units=$2 doc=$1/usr/share/doc/novacula-agent
    mkdir -p "$tree/usr/lib/novacula" "$tree$units" "$tree/etc/needrestart/conf.d" "$doc"
    install -m 755 "$binary" "$tree/usr/lib/novacula/novacula-agent"
    install -m 755 "$root/packaging/files/settle" "$tree/usr/lib/novacula/settle"
    install -m 644 "$root"/systemd/novacula-agent* "$tree$units/"
    install -m 644 "$root/packaging/files/needrestart.conf" "$tree/etc/needrestart/conf.d/novacula.conf"
    install -m 644 "$root/packaging/files/agent.toml.example" "$root/docs/operations.md" "$doc/"
}

make_deb() {
    need dpkg-deb dpkg
    local tree=$work/deb doc=$work/deb/usr/share/doc/novacula-agent date
    stage "$tree" /lib/systemd/system
    install -m 644 "$root/packaging/deb/copyright" "$doc/"
    date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
    printf 'novacula-agent (%s-1) stable; urgency=medium\n\n  * Novacula %s, see changelog.gz.\n\n -- %s  %s\n' \
        "$package_version" "$version" "$(sed -n 's/^Maintainer: //p' "$root/packaging/deb/control")" "$date" |
        gzip -9n >"$doc/changelog.Debian.gz"
    gzip -9nc "$root/CHANGELOG.md" >"$doc/changelog.gz"
    install -D -m 644 "$root/packaging/deb/lintian-overrides" "$tree/usr/share/lintian/overrides/novacula-agent"

    mkdir "$tree/DEBIAN"
    printf '/etc/needrestart/conf.d/novacula.conf\n' >"$tree/DEBIAN/conffiles"
    (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
    sed -e "s/@VERSION@/$package_version-1/" -e "s/@ARCHITECTURE@/$deb_architecture/" \
        -e "s/@INSTALLED_SIZE@/$(du -k -s --apparent-size "$tree" | cut -f 1)/" \
        "$root/packaging/deb/control" >"$tree/DEBIAN/control"
    install -m 755 "$root"/packaging/deb/{postinst,prerm,postrm} "$tree/DEBIAN/"
    find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    local package=$out/novacula-agent_$package_version-1_$deb_architecture.deb
    # Every dpkg since 2012 can unpack xz; zstd not.
    dpkg-deb --root-owner-group -Zxz -z6 --build "$tree" "$package" >/dev/null || die "dpkg-deb must make $package, it did not"
    printf '%s\n' "$package"
}

make_rpm() {
    need rpmbuild rpm
    local tree=$work/rpm name=novacula-agent-$package_version-1.$rpm_architecture.rpm
    stage "$tree" /usr/lib/systemd/system
    install -D -m 644 -t "$tree/usr/share/licenses/novacula-agent" "$root"/LICENSE-*
    install -m 644 "$root/CHANGELOG.md" "$tree/usr/share/doc/novacula-agent/"
    rpmbuild -bb --quiet --target "$rpm_architecture-linux" \
        --define "_topdir $work/rpmbuild" --define "_rpmdir $work" --define "_dbpath $work/rpmdb" \
        --define "tree $tree" --define "package_version $package_version" \
        "$root/packaging/rpm/novacula-agent.spec" >"$work/rpmbuild.log" 2>&1 ||
        die "rpmbuild must make $name, it did not: $(tail -n 5 "$work/rpmbuild.log")"
    mv -f -- "$work/$rpm_architecture/$name" "$out/"
    printf '%s\n' "$out/$name"
}

for format in "${formats[@]}"; do
    "make_$format"
done
