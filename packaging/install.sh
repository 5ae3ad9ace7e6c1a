#!/bin/sh
# Installs a Novacula agent on a host without packages. See --help.
set -eu

# A vendor who hosts this script puts the second line of its public minisign key here.
embedded_key=''

binary=/opt/novacula/bin/novacula-agent

usage() {
    cat <<'HELP'
Usage: install.sh --url URL --version VERSION [options]
       install.sh --file FILE --version VERSION [options]

Installs the agent on this host, as root: checks signature, signed kind, version and target, and SHA-256 before
anything is put in place, then writes and enables the systemd units. An agent that is there already is never replaced.

  --url URL          where the artifacts are: URL/novacula-agent-VERSION-TARGET, beside it its .minisig and SHA256SUMS
  --file FILE        this artifact instead; FILE.minisig and, if it is there, SHA256SUMS must lie beside it
  --version VERSION  the version to install, like 1.2.3
  --public-key KEY   the second line of the vendor's public minisign key (RW...), or the path of its .pub file;
                     the vendor may have built one into this script
  --sha256 HEX       what the SHA-256 of the artifact must be; without it SHA256SUMS says so
  --target TARGET    default: this machine's, like x86_64-unknown-linux-musl
  --config FILE      put this config at /etc/novacula/agent.toml if none is there, and start the agent
  -h, --help         this text

Needs minisign, sha256sum, systemd, and for --url curl or wget. Only https is spoken.

Example:
  sh install.sh --url https://releases.example.com/agent/1.4.0 --version 1.4.0 --public-key RWQf6LRCGA9i5...
HELP
}

die() {
    printf 'install.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}
wrong() { die "$1; see install.sh --help" 2; }
need() { command -v "$1" >/dev/null 2>&1 || die "the program $1 is needed and not installed: $2"; }

download() {
    if command -v curl >/dev/null 2>&1; then
        curl --proto '=https' --proto-redir '=https' --fail --silent --show-error --location --retry 3 --output "$2" "$1"
    elif command -v wget >/dev/null 2>&1; then
        wget --https-only --quiet --tries=3 --output-document="$2" "$1"
    else
        die "curl or wget is needed and neither is installed"
    fi || die "$1 must be there to download, it is not: the reason is above"
}

# The value of one field of the signed comment, which must be there exactly once.
signed_field() {
    found=$(printf '%s\n' "$signed" | tr -s '[:blank:]' '\n' | sed -n "s/^$1://p")
    [ -n "$found" ] && [ "$(printf '%s\n' "$found" | wc -l)" -eq 1 ] || found=''
    printf '%s' "$found"
}

must_be_signed_as() {
    found=$(signed_field "$1")
    [ "$found" = "$2" ] || die "the artifact must be signed as $1 $2, it is signed as '$found': nothing was installed"
}

# All of it is read before any of it runs: a download of this script that breaks off does nothing.
main() {
    url='' file='' version='' public_key=$embedded_key sha256='' target='' config=''
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --url | --file | --version | --public-key | --sha256 | --target | --config)
            [ $# -gt 1 ] || wrong "$1 must be followed by a value, nothing follows"
            case $1 in
            --url) url=$2 ;;
            --file) file=$2 ;;
            --version) version=$2 ;;
            --public-key) public_key=$2 ;;
            --sha256) sha256=$2 ;;
            --target) target=$2 ;;
            --config) config=$2 ;;
            esac
            shift 2
            ;;
        *) wrong "there is no option $1" ;;
        esac
    done

    [ -n "$url$file" ] || wrong "--url or --file is missing"
    [ -z "$url" ] || [ -z "$file" ] || wrong "--url and --file exclude each other"
    printf '%s' "$version" | grep -Eq '^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$' ||
        wrong "--version must be like 1.2.3, found '$version'"
    [ -n "$public_key" ] || wrong "--public-key is missing: without the vendor's key nothing can be trusted"
    if [ -f "$public_key" ]; then
        public_key=$(sed -n 2p "$public_key")
    fi
    case $url in
    '' | https://*) ;;
    *) wrong "--url must begin with https://, found '$url'" ;;
    esac
    target=${target:-$(uname -m)-unknown-linux-musl}

    [ "$(id -u)" = 0 ] || die "this installs a system service; run it as root"
    [ -d /run/systemd/system ] || die "this host must run systemd, it does not"
    need minisign "on Debian, apt install minisign"
    need sha256sum "it is part of coreutils"
    [ ! -e "$binary" ] ||
        die "an agent is at $binary already and upgrades itself; nothing was changed. Ask its control plane for an upgrade"
    [ -z "$config" ] || [ -f "$config" ] || die "the config $config must be a file, it is not"

    # Where the binary will be: what was checked is renamed into place and never copied again.
    umask 022
    mkdir -p "${binary%/*}" || die "${binary%/*} cannot be made"
    work=$(mktemp -d "${binary%/*}/.novacula-agent.install.XXXXXX") || die "no folder can be made in ${binary%/*}"
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM

    name=novacula-agent-$version-$target
    artifact=$work/artifact
    if [ -n "$url" ]; then
        download "${url%/}/$name" "$artifact"
        download "${url%/}/$name.minisig" "$artifact.minisig"
        [ -n "$sha256" ] || download "${url%/}/SHA256SUMS" "$work/SHA256SUMS"
    else
        name=$(basename "$file")
        cat "$file" >"$artifact" || die "the artifact $file must be readable, it is not"
        cat "$file.minisig" >"$artifact.minisig" || die "the signature $file.minisig must lie beside the artifact"
        if [ -e "$(dirname "$file")/SHA256SUMS" ]; then
            cat "$(dirname "$file")/SHA256SUMS" >"$work/SHA256SUMS"
        fi
    fi

    # First the signature, then what it says; everything else is only as good as these two.
    signed=$(minisign -V -Q -P "$public_key" -m "$artifact" -x "$artifact.minisig" 2>/dev/null) ||
        die "the signature must be by the given key over these very bytes, it is not: nothing was installed"
    must_be_signed_as kind agent
    must_be_signed_as version "$version"
    must_be_signed_as target "$target"
    if [ -z "$sha256" ] && [ -e "$work/SHA256SUMS" ]; then
        sha256=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$name\$/\1/p" "$work/SHA256SUMS" | head -n 1)
        [ -n "$sha256" ] || die "SHA256SUMS must have a line for $name, it has none: nothing was installed"
    fi
    found=$(sha256sum <"$artifact")
    found=${found%% *}
    [ -z "$sha256" ] || [ "$found" = "$sha256" ] ||
        die "the SHA-256 of the artifact must be $sha256, it is $found: nothing was installed"

    chmod 755 "$artifact"
    printed=$("$artifact" --version 2>/dev/null </dev/null) || die "the artifact must run on this host, it does not"
    [ "$printed" = "novacula-agent $version" ] ||
        die "the artifact must print 'novacula-agent $version', it prints '$printed': nothing was installed"

    sync "$artifact"
    # A link, unlike a rename, replaces nothing: should somebody have been faster, theirs stays.
    ln "$artifact" "$binary" || die "the agent cannot be put at $binary"
    sync "${binary%/*}"
    "$binary" install || die "the units could not be installed; correct what is said above, then run: $binary install"
    if [ -n "$config" ] && [ ! -e /etc/novacula/agent.toml ]; then
        mkdir -p /etc/novacula
        install -m 600 "$config" /etc/novacula/agent.toml || die "the config cannot be written to /etc/novacula"
    fi
    if [ -e /etc/novacula/agent.toml ]; then
        systemctl start novacula-agent.service || die "the agent does not start: journalctl -u novacula-agent.service"
        printf 'installed and started: novacula-agent %s\n' "$version"
    else
        printf 'installed: novacula-agent %s. Write /etc/novacula/agent.toml, then: systemctl start novacula-agent.service\n' "$version"
    fi
}

main "$@"
