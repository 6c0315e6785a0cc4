# What the measuring scripts share; to be sourced. Sets $renderfarm (the program), $cores, $arithmetic (the text of arithmetic.awk) and $scratch
# (a folder that is removed at the end). Nothing here decides what is measured.
# shellcheck shell=bash disable=SC2034 # used by who sources this

me=${0##*/}
# Decimal points, whatever the user's language; texts stay as they are.
[ -z "${LC_ALL-}" ] || { export LANG=$LC_ALL; unset LC_ALL; }
export LC_NUMERIC=C

# stop STATUS MESSAGE...: 1 it failed, 2 wrong use
stop() {
    local status=$1
    shift
    echo "$me: $*" >&2
    exit "$status"
}

note() {
    echo "note: $*" >&2
}

# print_usage: the comment at the top of the script
print_usage() {
    sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"
}

arithmetic=$(<"${BASH_SOURCE[0]%/*}/arithmetic.awk")

# From the repository the programs of its build folder, else those beside this script, else the shell's.
find_renderfarm() {
    local here build=${BUILD:-build}
    here=$(dirname "$(readlink -f "$0")")
    if [ -f "$here/../coordinator/farm.c" ]; then
        [[ $build = /* ]] || build=$here/../$build
        renderfarm=$build/renderfarm
        [ -x "$renderfarm" ] || stop 1 "$(readlink -m "$renderfarm") is missing; run \`make\` first (BUILD names another build folder)"
        renderfarm=$(readlink -f "$renderfarm")
    else
        renderfarm=$here/renderfarm
        [ -x "$renderfarm" ] || renderfarm=$(command -v renderfarm) || stop 1 "there is no renderfarm beside this script, nor in PATH"
    fi
    # The cores that the program may use; a quota of the control group counts, which nproc does not know.
    cores=$("$renderfarm" --help | sed -n 's/.*(default: \([0-9]*\), the cores.*/\1/p')
    [ -n "$cores" ] || cores=$(nproc)
}

need() {
    local program
    for program; do command -v "$program" >/dev/null || stop 1 "$program is missing"; done
}

# check_input FILE
check_input() {
    [ -e "$1" ] || stop 1 "$1: there is no such file"
    if [ ! -f "$1" ] || [ ! -r "$1" ]; then stop 1 "$1: it cannot be read"; fi
    [ "$(ffprobe -v quiet -select_streams v:0 -show_entries stream=codec_type -of csv=p=0 -i "file:$1")" ] || stop 1 "$1: ffprobe finds no video in it"
}

# check_writable FILE: whether a file of that name can be made, which is tried: permissions do not tell all
check_writable() {
    local folder
    folder=$(dirname -- "$1")
    [ -d "$folder" ] || stop 1 "$folder: there is no such folder for the results"
    [ ! -d "$1" ] || stop 1 "$1: a folder is in the way of the results"
    (: >"$1.part") 2>/dev/null || stop 1 "$folder: the results cannot be written into this folder"
    rm -f -- "$1.part"
}

make_scratch() {
    scratch=$(mktemp -d) || stop 1 "no folder for temporary files can be made; TMPDIR names another place"
    child=
    trap 'rm -rf "$scratch"' EXIT
    trap 'end_child; exit 130' INT
    trap 'end_child; exit 143' TERM HUP
}

end_child() {
    [ -z "$child" ] || { kill "$child" 2>/dev/null; wait "$child"; } || true
    child=
}

# number_list NAME TEXT MOST: sorted numbers of "1..8", "1,2,4", "1..16:2", "1..4,8", each once, in $numbers
number_list() {
    local name=$1 text=$2 most=$3 part from to step i
    local bad="$name must be numbers from 1 to $most such as 1..8, 1,2,4 or 1..16:2, not '$text'"
    numbers=()
    [[ $text =~ ^[^,]+(,[^,]+)*$ ]] || stop 2 "$bad"
    local IFS=,
    for part in $text; do
        [[ $part =~ ^([0-9]{1,5})(\.\.([0-9]{1,5})(:([0-9]{1,5}))?)?$ ]] || stop 2 "$bad"
        from=$((10#${BASH_REMATCH[1]})) to=$((10#${BASH_REMATCH[3]:-$from})) step=$((10#${BASH_REMATCH[5]:-1}))
        if [ "$from" -lt 1 ] || [ "$to" -lt "$from" ] || [ "$to" -gt "$most" ] || [ "$step" -lt 1 ]; then stop 2 "$bad"; fi
        for ((i = from; i <= to; i += step)); do numbers+=("$i"); done
    done
    IFS=$'\n'
    mapfile -t numbers < <(printf '%s\n' "${numbers[@]}" | sort -nu)
}

# count NAME TEXT: a number from 1 to 1000
count() {
    if [[ ! $2 =~ ^[0-9]{1,4}$ ]] || [ $((10#$2)) -lt 1 ] || [ $((10#$2)) -gt 1000 ]; then stop 2 "$1 must be a number from 1 to 1000, not '$2'"; fi
}

# say WHAT: on a terminal, what is being done
say() { [ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2; }

describe_machine() {
    local model
    model=$(lscpu 2>/dev/null | sed -n 's/^Model name: *//p' | head -n 1)
    echo "${model:-$(uname -m)}"
}

# timed COMMAND...: $wall in seconds; what it says goes to $scratch/out and $scratch/said. In the background, so that a signal finds us awake.
timed() {
    local start=${EPOCHREALTIME/[.,]/} end status=0
    "$@" >"$scratch/out" 2>"$scratch/said" </dev/null &
    child=$!
    wait "$child" 2>/dev/null || status=$? # without the shell's own words on one that was killed
    child=
    end=${EPOCHREALTIME/[.,]/}
    printf -v wall '%d.%06d' $(((end - start) / 1000000)) $(((end - start) % 1000000))
    return "$status"
}

# pass_on STATUS: the message of a program that failed, and the end of this one
pass_on() {
    grep -v '^bench: ' "$scratch/said" | tail -n 5 >&2 || true
    [ "$1" -le 128 ] || stop 1 "renderfarm was ended by a signal ($(kill -l "$1"))"
    [ "$1" -eq 2 ] && exit 2
    exit 1
}

# farm INPUT OUTPUT OPTION...: one run, $wall, and all numbers of its statistics in $figure: ${figure[cpu_s/total]}, ${figure[renderers/0/busy_s]}
declare -A figure
farm() {
    local input=$1 output=$2 status=0
    shift 2
    timed "$renderfarm" --overwrite --quiet --stats="$scratch/stats.json" "$@" -- "$input" "$output" || status=$?
    [ "$status" -eq 0 ] || pass_on "$status"
    read_figures "$scratch/stats.json"
}

# read_figures FILE: the numbers and words of a file that --stats wrote, which has one key or element a line
read_figures() {
    local key value
    figure=()
    while IFS=$'\t' read -r key value; do figure[$key]=$value; done < <(awk '
        function at(key) { return depth ? path[depth] key : key }
        {
            sub(/^[ \t]+/, ""); sub(/,?[ \t\r]*$/, "")
            key = ""
            if (match($0, /^"[a-z0-9_]+": */)) {
                key = substr($0, 2, index(substr($0, 2), "\"") - 1)
                value = substr($0, RLENGTH + 1)
            } else {
                value = $0
            }
        }
        value ~ /^[\]}]$/ { depth--; next }
        key == "" && depth { key = next_index[depth]++ }
        value ~ /^[\[{]$/ { prefix = key == "" ? "" : at(key) "/"; path[++depth] = prefix; next_index[depth] = 0; next }
        value ~ /^[\[{][ ]*[\]}]$/ { next }
        { gsub(/^"|"$/, "", value); print at(key) "\t" value }' "$1")
}

# sum_of PATTERN [FORMAT]: of all figures with such a name; whole numbers, unless a format says otherwise
sum_of() {
    local key
    # shellcheck disable=SC2053 # a pattern
    for key in "${!figure[@]}"; do [[ $key != $1 ]] || echo "${figure[$key]}"; done | awk -v format="${2-%.0f}" '{ sum += $1 } END { printf format "\n", sum }'
}

# ffmpeg_run OPTION...: one run of ffmpeg; $wall, $cpu (seconds), $memory (peak, bytes) and $frames. Returns its status.
ffmpeg_run() {
    local status=0
    timed ffmpeg -nostdin -hide_banner -y -benchmark -v info "$@" || status=$?
    [ "$status" -eq 0 ] || return "$status"
    # "bench: utime=7.1s stime=0.2s rtime=4.0s" and "bench: maxrss=123456kB" (KiB since 5.1: the same number)
    read -r cpu memory frames < <(tr '\r' '\n' <"$scratch/said" | awk '
        /utime=/ { match($0, /utime=[0-9.]+/); u = substr($0, RSTART + 6, RLENGTH - 6); match($0, /stime=[0-9.]+/); s = substr($0, RSTART + 6, RLENGTH - 6) }
        match($0, /maxrss=[0-9]+/) { m = substr($0, RSTART + 7, RLENGTH - 7) }
        match($0, /frame= *[0-9]+/) { f = substr($0, RSTART + 6, RLENGTH - 6) }
        END { printf "%.3f %.0f %d\n", u + s, m * 1024, f }')
}

# ---- Options that are passed on ----

# take_arguments 'OWN OPTION...' ARGUMENT...: prints the usage if asked, else $arguments, in which every option is one --name=value. OWN: those of the
# script with a value.
take_arguments() {
    local own=$1 argument
    shift
    arguments=()
    for argument; do
        case $argument in -h | --help) print_usage; exit 0 ;; esac
    done
    while [ $# -gt 0 ]; do
        argument=$1
        shift
        case $argument in -j) argument=--workers ;; -t) argument=--threads ;; -f) argument=--filter ;; -c) argument=--codec ;; esac
        case " $own --workers --threads --filter --vf --codec --crf --preset --bitrate --encoder-options --pix-fmt --segment --encode --parallel-safe --stall-timeout " in
            *" $argument "*)
                [ $# -gt 0 ] || stop 2 "$argument needs a value (--help lists the options)"
                arguments+=("$argument=$1")
                shift
                continue
                ;;
        esac
        case $argument in
            --)
                for argument; do
                    [[ $argument = /* ]] || argument=./$argument # a name that begins with a dash is no option
                    arguments+=("$argument")
                done
                return
                ;;
            -j?*) arguments+=("--workers=${argument#-j}") ;;
            -t?*) arguments+=("--threads=${argument#-t}") ;;
            -f?*) arguments+=("--filter=${argument#-f}") ;;
            -c?*) arguments+=("--codec=${argument#-c}") ;;
            -y | -v | -q) ;; # the script's own business
            *) arguments+=("$argument") ;;
        esac
    done
}

# as_utf8 TEXT: with U+FFFD for each byte that is no part of a character
as_utf8() {
    text=$1 LC_ALL=C awk '
        function between(i, least, most) { return i in byte && byte[i] >= least && byte[i] <= most }
        function character(i,    c, bytes, k) { # how many bytes it has that begins there; 0: none does
            c = byte[i]
            if (c < 128)
                return 1
            bytes = c >= 194 && c <= 223 ? 2 : c >= 224 && c <= 239 ? 3 : c >= 240 && c <= 244 ? 4 : 0
            if (!bytes || !between(i + 1, c == 224 ? 160 : c == 240 ? 144 : 128, c == 237 ? 159 : c == 244 ? 143 : 191))
                return 0
            for (k = 2; k < bytes; k++)
                if (!between(i + k, 128, 191))
                    return 0
            return bytes
        }
        BEGIN {
            for (i = 1; i < 256; i++)
                code[sprintf("%c", i)] = i
            text = ENVIRON["text"]
            for (i = 1; i <= length(text); i++)
                byte[i] = code[substr(text, i, 1)]
            for (i = 1; i <= length(text); i += bytes ? bytes : 1) {
                bytes = character(i)
                printf "%s", bytes ? substr(text, i, bytes) : "\357\277\275"
            }
        }'
}

# The options of renderfarm that are passed on, and the same in ffmpeg's words; what ffmpeg need not know is only renderfarm's.
farm_options=() before_input=() ffmpeg_options=() audio=1 untranslated=''

take_encoder_options() {
    local pair
    # Quoted values, and lists in a value, are more than cutting at colons can do.
    if [[ $1 = *[\\\']* ]]; then
        untranslated="--encoder-options=$1"
        return
    fi
    local IFS=:
    for pair in $1; do ffmpeg_options+=("-${pair%%=*}:v" "${pair#*=}"); done
}

# take_farm_option --NAME[=VALUE]
take_farm_option() {
    local name=${1%%=*} value=${1#*=}
    case $1 in
        --filter=* | --vf=*) [ -z "$value" ] || ffmpeg_options+=(-vf "$value") ;;
        --codec=*) ffmpeg_options+=(-c:v "$value") ;;
        --crf=* | --preset=*) ffmpeg_options+=("-${name#--}" "$value") ;;
        --bitrate=*) ffmpeg_options+=(-b:v "$value") ;;
        --pix-fmt=*) ffmpeg_options+=(-pix_fmt "$value") ;;
        --encoder-options=*) take_encoder_options "$value" ;;
        --no-audio) audio='' ;;
        --no-autorotate) before_input+=(-noautorotate) ;;
        --cache=*) stop 2 "$name is not for measuring: all but the first run would find its segments there" ;;
        --every=* | --poster | --contact-sheet=*) untranslated=$1 ;;
        --explain | --verify | --stats | --stats=* | --progress | --progress=*) stop 2 "$name is not for measuring (--help says what is)" ;;
        --version) exec "$renderfarm" --version ;;
        --overwrite | --quiet | --verbose) return ;; # the script's own business
    esac
    farm_options+=("$1")
}

# container_for INPUT: the extension of its renders
container_for() {
    local extension=${1##*.}
    case ${extension,,} in mp4 | m4v | mov | mkv | webm) echo "${extension,,}" ;; *) echo mkv ;; esac
}

# explain INPUT OUTPUT: $limit, what --explain says limits the speed-up; and whether all options are right, before minutes have gone by
explain() {
    local status=0
    timed "$renderfarm" --explain --quiet "${farm_options[@]}" -- "$1" "$2" || status=$?
    [ "$status" -eq 0 ] || pass_on "$status"
    limit=$(sed -n 's/^limit: //p' "$scratch/out" | head -n 1)
}

# plain_ffmpeg INPUT OUTPUT: the same work by ffmpeg as people run it; 1, and a note, when it cannot be done
plain_ffmpeg() {
    local streams=(-map 0:v:0)
    if [ -n "$untranslated" ]; then
        note "plain ffmpeg is left out: $untranslated cannot be put into its words"
        return 1
    fi
    [ -z "$audio" ] || streams+=(-map '0:a?' -c:a copy)
    if ! ffmpeg_run "${before_input[@]}" -i "file:$1" "${streams[@]}" "${ffmpeg_options[@]}" -fps_mode passthrough "$2"; then
        note "plain ffmpeg is left out, it failed: $(tr '\r' '\n' <"$scratch/said" | grep -v '^bench: ' | tail -n 1)"
        return 1
    fi
}
