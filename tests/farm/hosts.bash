#!/usr/bin/env bash
# Several hosts on this one machine: network namespaces on a bridge, each with an address of its own, and a job across them while something happens to
# the links. Runs inside `unshare --net --mount-proc --pid --fork`, so that all of it goes with the last process. Called by farm_hosts.
#
# usage: hosts.bash SCENARIO RENDERFARM INPUT OUTPUT FOLDER CHAIN [SEED]
set -euo pipefail

scenario=$1 renderfarm=$2 input=$3 output=$4 folder=$5 chain=$6 seed=${7-0}
hosts=3 pids=() coordinator=''

stop() {
    echo "hosts: $*" >&2
    [ ! -f "$folder/said" ] || cat "$folder/said" >&2
    exit 1
}

# on HOST COMMAND...
on() {
    local host=$1
    shift
    nsenter --net --target "${pids[host]}" "$@"
}

make_hosts() {
    local i
    ip link set lo up
    ip link add br0 type bridge
    ip addr add 10.88.0.254/24 dev br0
    ip link set br0 up
    for ((i = 1; i <= hosts; i++)); do
        unshare --net sleep infinity &
        pids[i]=$!
        # Until it has its own network.
        until [ "$(readlink /proc/${pids[i]}/ns/net 2>/dev/null)" != "$(readlink /proc/self/ns/net)" ] && [ -e /proc/${pids[i]}/ns/net ]; do sleep 0.01; done
        ip link add "v$i" type veth peer name eth0 netns "${pids[i]}"
        ip link set "v$i" master br0 up
        on "$i" ip addr add "10.88.0.$i/24" dev eth0
        on "$i" ip link set eth0 up
        on "$i" ip link set lo up
    done
}

# Waits until the coordinator has said it.
wait_for() {
    until grep -qsF -- "$1" "$folder/said"; do
        kill -0 "$coordinator" 2>/dev/null || stop "'$1' does not come"
        sleep 0.05
    done
}

start_coordinator() {
    "${renderfarm}-keygen" "$folder/farm.key"
    "${renderfarm}-keygen" --for="$folder/farm.key" "$folder/node.key"
    "$renderfarm" "$input" "$output" -v -v --workers=0 --segment=1 --filter="$chain" --preset=ultrafast --progress=off --no-cache \
        --listen=tcp://10.88.0.254:7000 --key="$folder/farm.key" >"$folder/said" 2>&1 &
    coordinator=$!
    wait_for 'listening at'
}

# Where there are such clocks, the host's is eleven days ahead of the others'.
wrong_clock() {
    ! unshare --time --monotonic 1000000 true 2>/dev/null || echo unshare --time --monotonic 1000000 --boottime 1000000 --kill-child --fork
}

# start_renderer HOST [COMMAND...]      COMMAND starts it; so many of them: $each
each=1
start_renderer() {
    local host=$1
    shift
    # Not by way of `on`: the process that is started here is the renderers' own.
    nsenter --net --target "${pids[host]}" "$@" "${renderfarm}-renderer" --connect=tcp://10.88.0.254:7000 --key="$folder/node.key" --workers="$each" >"$folder/host$host" 2>&1 &
    renderer=$!
}

# ---- At random ----

dealt() { grep -cF ' goes to renderer ' "$folder/said" || true; }

# Somebody is connected, and so will be dealt something.
somebody_works() {
    local i
    for ((i = 1; i <= hosts; i++)); do
        [ "${state[i]}" != here ] || return 0
    done
    return 1
}

# The renderers' processes are a group, once `setsid` has run.
# act HOST      What happens to it next: it joins or comes back, or it leaves, is cut off, or loses its power.
act() {
    local host=$1
    # One that was cut off for long has given up.
    kill -0 "${renderers[host]-0}" 2>/dev/null || [ "${state[host]}" = away ] || { ip link set "v$host" up; state[host]=away; }
    case ${state[host]}$((RANDOM % 3)) in
        away*) start_renderer "$host" setsid; renderers[host]=$renderer state[host]=here; echo "host $host joins" ;;
        cut*) ip link set "v$host" up; state[host]=here; echo "host $host is back" ;;
        here0) kill -TERM "${renderers[host]}" || true; wait "${renderers[host]}" || true; state[host]=away; echo "host $host leaves" ;;
        here1) ip link set "v$host" down; state[host]="cut"; echo "host $host is cut off" ;;
        here2) kill -KILL -- "-${renderers[host]}" 2>/dev/null || kill -KILL "${renderers[host]}" || true; wait "${renderers[host]}" || true; state[host]=away; echo "host $host loses its power" ;;
    esac
}

# Each event comes when so many segments more were dealt: never by the clock.
happen() {
    local until
    RANDOM=$1 state=(- away away away) renderers=()
    while kill -0 "$coordinator" 2>/dev/null; do
        act $((RANDOM % hosts + 1))
        until=$(($(dealt) + RANDOM % 3))
        while somebody_works && [ "$(dealt)" -lt "$until" ] && kill -0 "$coordinator" 2>/dev/null; do sleep 0.05; done
    done
}

make_hosts
start_coordinator
case $scenario in
    plain)
        start_renderer 1
        # shellcheck disable=SC2046
        start_renderer 2 $(wrong_clock)
        ;;
    join-and-leave)
        start_renderer 1
        first=$renderer
        wait_for 'in segments'
        start_renderer 2
        wait_for ' goes to renderer 1 '
        kill -TERM "$first"
        wait_for ' leaves; its work goes to another'
        start_renderer 3
        ;;
    cut) # a link is unplugged in the middle of a segment, and plugged in again when its host was given up
        start_renderer 1
        wait_for ' goes to renderer 0 '
        ip link set v1 down
        wait_for 'its work goes to another'
        start_renderer 2
        ip link set v1 up
        ;;
    slow) # hardly anything gets through from one of them any more
        start_renderer 1
        wait_for ' goes to renderer 0 '
        on 1 tc qdisc add dev eth0 root tbf rate 64kbit burst 4kbit latency 2s
        start_renderer 2
        ;;
    flap) # too short to be given up
        start_renderer 1
        wait_for ' goes to renderer 0 '
        for _ in 1 2 3; do
            ip link set v1 down
            sleep 1 # that long is it down, whatever else happens
            ip link set v1 up
            sleep 0.5
        done
        ;;
    narrow) # 20 Mbit/s, and one packet in a hundred is lost
        for i in 1 2; do
            tc qdisc add dev "v$i" root tbf rate 20mbit burst 32kbit latency 50ms
            on "$i" tc qdisc add dev eth0 root tbf rate 20mbit burst 32kbit latency 50ms
            on "$i" nft -f - <<'RULES'
table inet loss { chain in { type filter hook input priority 0; meta l4proto tcp numgen random mod 100 < 1 drop; }; }
RULES
            start_renderer "$i"
        done
        ;;
    frames) # raw ones
        tc qdisc add dev v1 root tbf rate 16mbit burst 32kbit latency 50ms
        each=2
        start_renderer 1
        ;;
    random) happen "$seed" ;;
    *) stop "no scenario $scenario" ;;
esac
wait "$coordinator" || stop "status $?"
cat "$folder/said"
