# What the measuring scripts compute, apart from what they measure: awk -f scripts/measure/arithmetic.awk -f MORE, or awk "$arithmetic"'...' in a script.
# Arrays count from 1. p: how many renderers, or renderers times threads, work at a time.

function least(values, n,    i, found) {
    found = values[1]
    for (i = 2; i <= n; i++)
        if (values[i] < found)
            found = values[i]
    return found
}

function most(values, n,    i, found) {
    found = values[1]
    for (i = 2; i <= n; i++)
        if (values[i] > found)
            found = values[i]
    return found
}

function median(values, n,    i, j, sorted, held) {
    for (i = 1; i <= n; i++) {
        held = values[i]
        for (j = i - 1; j >= 1 && sorted[j] > held; j--)
            sorted[j + 1] = sorted[j]
        sorted[j + 1] = held
    }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

# Karp and Flatt: the share of the work that must have been serial to give this speed-up. Below 0 when it was more than p. Not defined for p = 1: "".
function karp_flatt(speed_up, p) {
    return p > 1 && speed_up > 0 ? (1 / speed_up - 1 / p) / (1 - 1 / p) : ""
}

# Amdahl: the speed-up with p of a job of which the share serial cannot be split.
function amdahl(serial, p) {
    return 1 / (serial + (1 - serial) / p)
}

# The serial share, 0 to 1, for which Amdahl's run times fit n measured speed-ups best (least squares of time, in units of the time with one); "" when
# none of them has p > 1.
function amdahl_fit(speed_up, p, n,    i, x, y, xx, xy) {
    for (i = 1; i <= n; i++) {
        x = 1 - 1 / p[i]
        y = 1 / speed_up[i] - 1 / p[i]
        xx += x * x
        xy += x * y
    }
    if (xx == 0)
        return ""
    return xy < 0 ? 0 : xy > xx ? 1 : xy / xx
}

# The setting to use: the fastest, or the one with the fewest p that is at most 3 % slower, or by no more than rounds of one setting differ (spread, up
# to 0.15).
function setting_to_use(wall, p, n, spread,    i, fastest, found, room) {
    fastest = least(wall, n)
    room = spread > 0.15 ? 0.15 : spread > 0.03 ? spread : 0.03
    for (i = 1; i <= n; i++)
        if (wall[i] <= fastest * (1 + room) && (!found || p[i] < p[found] || (p[i] == p[found] && wall[i] < wall[found])))
            found = i
    return found
}

# The largest setting that the cores suffice for, of several the fastest; where that is the first alone, the smallest beyond.
function full_setting(wall, p, n, cores,    i, found) {
    for (i = 1; i <= n; i++)
        if (p[i] <= cores && (!found || p[i] > p[found] || (p[i] == p[found] && wall[i] < wall[found])))
            found = i
    for (i = 1; i <= n && cores > 1; i++)
        if (p[i] > cores && (p[found] < 2 || (p[found] > cores && p[i] < p[found])))
            found = i
    return found
}

# What limits a job: one sentence. f holds figures of two settings, one worker with one thread and the largest that the cores suffice for:
#   f["p"], f["cores"]
#   f["wall 1"], f["wall"]     seconds
#   f["cpu 1"], f["cpu"]       seconds
#   f["first task"]            seconds until the first segment was given to a renderer
#   f["coordinator"], f["decode"] CPU seconds
#   f["busy"]                  seconds for which all renderers together had work in hand; 0 where that tells nothing, because they wait for each other
#   f["serial reason"], f["limit"]   what --explain says: why one core does it all ("" if not so), and its line "limit: "
# p x wall is what the cores could have done. What was not the work of a single renderer is lost, in three ways: more CPU time for the same work, waiting
# for the start, waiting afterwards. The largest is the limit.
function limit_of(f,    room, extra, start, idle, bound, speed_up, taken) {
    speed_up = f["wall 1"] / f["wall"]
    if (f["serial reason"] != "")
        return "One core does it all (" f["serial reason"] "), so more workers do not help."
    if (f["p"] < 2)
        return f["cores"] < 2 ? "The only core limits it." : "One worker was all that was tried; " f["cores"] " cores are here."
    room = f["p"] * f["wall"]
    extra = f["cpu"] - f["cpu 1"]
    start = f["p"] * f["first task"]
    if (start > room)
        start = room
    idle = room - f["cpu"] - start
    bound = 0
    if (match(f["limit"], /no speed-up beyond [0-9.]+/))
        bound = substr(f["limit"], RSTART + 19, RLENGTH - 19) + 0
    if (f["coordinator"] > 0.8 * f["wall"])
        return sprintf("The coordinator limits it: it was busy for %.1f of %.1f s.", f["coordinator"], f["wall"])
    if (bound > 0 && bound < f["p"] && speed_up > 0.75 * bound)
        return sprintf("The segments limit it (%s); shorter ones (--segment=SECONDS) give more.", f["limit"])
    if (speed_up >= 0.9 * f["p"])
        return sprintf("The cores limit it: %.0f %% of what %d can do was work%s.", 100 * speed_up / f["p"], f["p"],
                       f["p"] < f["cores"] ? ", and there are " f["cores"] : "")
    if (extra >= start && extra >= idle)
        return sprintf("The cores slow each other down (caches, memory, or other programs): the same work took %.1f CPU seconds with one worker and %.1f now.",
                       f["cpu 1"], f["cpu"])
    if (start >= idle)
        return sprintf("The start limits it: %.2f of %.1f s went by before the first segment was given to a renderer; longer videos lose less.",
                       f["first task"], f["wall"])
    if (f["limit"] ~ /in order/ && f["decode"] > 0.7 * f["wall"])
        return sprintf("Decoding limits it: it works in order on one core and was busy for %.1f of %.1f s.", f["decode"], f["wall"])
    if (f["limit"] ~ /in order/)
        return sprintf("The stages in order limit it (%s): the cores waited for %.0f %% of the time.", f["limit"], 100 * idle / room)
    taken = f["busy"] - (f["cpu"] - f["coordinator"])
    if (f["busy"] > 0 && taken > idle / 2)
        return sprintf("The cores were not free: renderers had work for %.0f %% of the time that they got no core for, or waited for memory or the disk; other programs take part, or --workers is more than there is room for.",
                       100 * taken / room)
    return sprintf("Waiting limits it: after the start the cores had nothing to do for %.0f %% of the time, mostly at the end, where the last segments run alone; %s",
                   100 * idle / room, "shorter ones (--segment=SECONDS) even that out.")
}

# As a JSON string, quotes included.
function json_text(text,    i, c, out) {
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "\"" || c == "\\")
            out = out "\\" c
        else if (c == "\n")
            out = out "\\n"
        else if (c < " ")
            out = out sprintf("\\u%04x", index(control_characters(), c))
        else
            out = out c
    }
    return "\"" out "\""
}

# The characters 1 to 31.
function control_characters(    i) {
    if (controls == "")
        for (i = 1; i < 32; i++)
            controls = controls sprintf("%c", i)
    return controls
}

# A number, or null for "" (what could not be computed).
function json_number(value, format) {
    return value == "" ? "null" : sprintf(format, value)
}

# As a CSV field.
function csv_text(text) {
    if (text !~ /[",\n\r]/)
        return text
    gsub(/"/, "\"\"", text)
    return "\"" text "\""
}

# How many bytes more (0.02: 2 %) an encode takes than another at the same quality: what it takes, less what its better quality is worth. That follows
# from a third encode, like the other but at a lower quality. Quality in dB; "" when the third tells nothing.
function cost_at_equal_quality(bytes, quality, other_bytes, other_quality, lower_bytes, lower_quality,    by_db) {
    if (other_quality <= lower_quality || lower_bytes <= 0)
        return ""
    by_db = log(other_bytes / lower_bytes) / (other_quality - lower_quality)
    return exp(log(bytes / other_bytes) - by_db * (quality - other_quality)) - 1
}
