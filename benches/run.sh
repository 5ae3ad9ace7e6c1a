#!/usr/bin/env bash
# `make bench`: how big, how hungry and how fast the shipped agent is, and how soon the console shows a large fleet, each
# figure beside its budget. The agent is the one that ships (profile, target), and it syncs as on a host: over https, by
# name, through a real nginx. What needs a systemd has one: a host of the laboratory, so this runs as root.
set -eu
cd "$(dirname "$0")/.."

# The Makefile says where things are built and whom they trust; so one checkout compiles nothing twice.
: "${CARGO_TARGET_DIR:?run this as: make bench}" "${NOVACULA_KEYS_DIR:?run this as: make bench}"
PARTS=$CARGO_TARGET_DIR/debug/bench_parts
CONTROL_PLANE=$CARGO_TARGET_DIR/release/novacula-control-plane
KEYS=${NOVACULA_KEYS_DIR#"$PWD/"}

started=()
bench=''
policy=''

say() { printf 'bench: %s\n' "$1" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }

fail() {
    say "$1"
    if [ -n "${2:-}" ]; then tail -n 20 "$2" >&2 || true; fi
    exit 1
}

# Each program is a session of its own: so it ends with all it started, and ^C at the terminal reaches this script only,
# which then ends them in order.
start() {
    setsid "$@" </dev/null &
    started+=("$!")
}

# A trap is not heard while a program runs in the foreground; it is while one is waited for.
attend() {
    local code=0
    start "$@"
    wait "$!" || code=$?
    # Over: its number may soon be somebody else's.
    unset 'started[-1]'
    return "$code"
}

# Just started, it may not be a session yet.
tell() { kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2" 2>/dev/null; }
running() { tell 0 "$1"; }

end_all() {
    trap '' INT TERM HUP
    local i pid tries
    # The agent before whom it talks to.
    for ((i = ${#started[@]} - 1; i >= 0; i--)); do
        pid=${started[i]}
        running "$pid" || continue
        tell TERM "$pid" || true
        for ((tries = 0; tries < 50; tries++)); do
            running "$pid" || break
            sleep 0.1
        done
        tell KILL "$pid" || true
        wait "$pid" 2>/dev/null || true
    done
    if [ -n "$policy" ]; then rm -f "$policy"; fi
    if [ -n "$bench" ]; then rm -rf "$bench"; fi
}
trap end_all EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A fresh nginx would be started by its package, and a web server on port 80 is not ours to give anybody.
without_services() {
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    attend "$@"
    if [ -n "$policy" ]; then rm -f "$policy"; fi
    policy=''
}

packages=()
need() { has "$1" || packages+=("$2"); }
PATH=$PATH:/usr/sbin # where nginx is, also for those who are not root
fresh_nginx=$(has nginx || echo yes)
need nginx nginx-light
need openssl openssl
need python3 python3
need minisign minisign
need curl curl
need readelf binutils
if [ ${#packages[@]} != 0 ]; then
    say "installing ${packages[*]}"
    if [ "$(id -u)" != 0 ] || ! has apt-get; then
        fail "these packages of Debian, or what they are called here, are missing: ${packages[*]}"
    fi
    export DEBIAN_FRONTEND=noninteractive
    attend apt-get update -qq
    without_services apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    if [ -n "$fresh_nginx" ] && [ -d /run/systemd/system ]; then
        systemctl disable --quiet nginx || true
    fi
fi

mkdir -p target/bench
bench=$(mktemp -d target/bench/running.XXXXXX)
here=$PWD/$bench
mkdir "$bench/data" "$bench/control-plane" "$bench/nginx"

say "building"
attend cargo build --quiet --locked --release --package novacula-control-plane
attend cargo build --quiet --locked --workspace --bin bench_parts
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
later() { printf '%s\n' "$version" | awk -v by="$1" '{split($1, v, /[.-]/); print v[1] "." v[2] "." v[3] + by}'; }
attend "$PARTS" agents "$version" "$(later 1)" "$(later 2)" >"$bench/parts"
part() { sed -n "s/^$1 //p" "$bench/parts"; }
AGENT=$(part old)
AGENT=${AGENT#"$PWD/"}
TARGET=$(part target)

# The throw-away authority, and a server it vouches for.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=bench authority" \
    -addext "keyUsage=critical,keyCertSign" -keyout "$bench/ca.key" -out "$bench/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
    -keyout "$bench/server.key" -out "$bench/server.csr" 2>/dev/null
printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' >"$bench/server.ext"
openssl x509 -req -days 1 -in "$bench/server.csr" -CA "$bench/ca.pem" -CAkey "$bench/ca.key" -CAcreateserial \
    -extfile "$bench/server.ext" -out "$bench/server.pem" 2>/dev/null

start env -i DATA_DIR="$here/control-plane" PORT=0 SYNC_INTERVAL_MS=1000 "$CONTROL_PLANE" serve \
    >"$bench/control-plane.out" 2>"$bench/control-plane.log"
said() { sed -n "s/^$1//p" "$bench/control-plane.out"; }
for _ in $(seq 100); do
    origin=$(said 'listening on ')
    [ -z "$origin" ] || break
    sleep 0.1
done
[ -n "$origin" ] || fail "the control plane does not start:" "$bench/control-plane.log"
token=$(said 'owner token (shown once): ')
key=$(curl -sS --noproxy '*' -H "Authorization: Bearer $token" \
    -H 'Content-Type: application/json' -d '{"name":"bench"}' "$origin/api/v1/executor-keys" |
    sed -n 's/.*"secret": *"\([^"]*\)".*/\1/p')
[ -n "$key" ] || fail "the control plane makes no executor key:" "$bench/control-plane.log"

read -r https_port http_port host_port bare_port < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*(s.getsockname()[1] for s in sockets))')
# Left as it comes wherever it matters to an agent: keep-alive and TLS are the defaults. A worker under another user
# could not read this folder, and only root can choose one.
user=''
if [ "$(id -u)" = 0 ]; then user='user root;'; fi
cat >"$bench/nginx/nginx.conf" <<CONF
$user
worker_processes 1;
daemon off;
pid "$here/nginx/pid";
error_log "$here/nginx/error.log";
events {}
http {
    log_format bench '\$connection \$connection_requests \$ssl_protocol \$msec \$status "\$request"';
    access_log "$here/access.log" bench;
    log_format host '\$msec \$request_time \$status \$http_user_agent';
    client_body_temp_path "$here/nginx/body";
    proxy_temp_path "$here/nginx/proxy";
    fastcgi_temp_path "$here/nginx/fastcgi";
    uwsgi_temp_path "$here/nginx/uwsgi";
    scgi_temp_path "$here/nginx/scgi";
    ssl_certificate "$here/server.pem";
    ssl_certificate_key "$here/server.key";
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host \$http_host;
    proxy_set_header X-Forwarded-Proto https;
    server {
        listen 127.0.0.1:$https_port ssl;
        location / { proxy_pass $origin; }
    }
    server {
        listen 127.0.0.1:$host_port ssl;
        listen 127.0.0.1:$bare_port;
        access_log "$here/host.log" host;
        location / { proxy_pass $origin; }
    }
    server {
        listen 127.0.0.1:$http_port;
        access_log off;
        root "$here";
        location = /artifact {}
        location / { return 404; }
    }
}
CONF
start nginx -p "$here/nginx" -c "$here/nginx/nginx.conf" -e "$here/nginx/error.log" 2>"$bench/nginx/err"
health() { curl -sS -o /dev/null --noproxy '*' --cacert "$bench/ca.pem" "https://localhost:$https_port/healthz"; }
for _ in $(seq 50); do
    if health 2>"$bench/curl.err"; then break; fi
    sleep 0.1
done
health || fail "nginx does not answer:" "$bench/nginx/error.log"
: >"$bench/access.log"

# A copy, because an agent tidies up around its binary and keeps upgrades beside it.
cp "$AGENT" "$bench/novacula-agent"
cat >"$bench/agent.toml" <<CONF
[agent]
name = "bench"
data_dir = "$here/data"
sync_interval_ms = 1000
[control_plane]
url = "https://localhost:$https_port"
access_token = "$key"
ca_file = "$here/ca.pem"
CONF
chmod 600 "$bench/agent.toml"
# What is bigger than any cache, runs, and is signed for this agent as its next release would be.
next=$(later 1)
{
    printf '#!/bin/sh\necho novacula-agent %s\nexit 0\n' "$next"
    head -c 199999900 /dev/urandom
} >"$bench/artifact"
minisign -S -s "$KEYS/../secret/lab.key" -t "kind:agent version:$next target:$TARGET" \
    -x "$bench/artifact.minisig" -m "$bench/artifact" </dev/null >/dev/null

# Without the environment: a proxy or a watchdog of whoever runs this is not for this agent.
start env -i "$bench/novacula-agent" run --config "$here/agent.toml" 2>"$bench/agent.log"
pid=$!
attend python3 -B benches/measure.py --bench "$bench" --agent "$AGENT" --pid "$pid" --control-plane "$CONTROL_PLANE" \
    --origin "$origin" --token "$token" --target "$TARGET" --secret-key "$KEYS/../secret/lab.key" \
    --public-key "$KEYS/lab.pub" --download-url "http://127.0.0.1:$http_port/artifact" \
    --version "$version" --next-version "$next" --next-agent "$(part new)" \
    --bad-version "$(later 2)" --bad-release "$(part bad)" --unlike-version "$(later 3)" \
    --parts "$PARTS" --bare "$(part bare)" --host-url "https://localhost:$host_port" \
    --bare-address "127.0.0.1:$bare_port" ||
    fail "the log of the agent:" "$bench/agent.log"
