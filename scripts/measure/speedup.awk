# The report of scripts/speedup, from a table of runs. Prints the table for people and writes csv, json, and for the plots points, heat, ffmpeg-point and
# facts into the folder scratch.
#
# awk -v cores=N -v rounds=N -v scratch=FOLDER -f arithmetic.awk -f speedup.awk RUNS
#
# A run is a line: program, workers, threads, wall, CPU seconds, peak memory, frames; then renderfarm's seconds to its first task, CPU seconds of decoding
# and of the coordinator, longest turn of the loop in ms, seconds for which its renderers had work. The first setting is one worker with one thread; ffmpeg, if it is there, has 0 0 and comes
# last. Texts come from the environment, because awk reads backslashes in variables: name, input, options, described (the machine), version,
# ffmpeg_version, limit and serial_reason (what --explain says).

{
    key = $1 " " $2 " " $3
    if (!(key in runs)) {
        order[++settings] = key; program[settings] = $1; workers[settings] = $2; threads[settings] = $3; p[settings] = $2 * $3
    }
    r = ++runs[key]
    for (column = 4; column <= NF; column++)
        data[key, column, r] = $column
}
# The values of a column, over the rounds, to values[].
function column_of(i, column,    r) {
    for (r = 1; r <= rounds; r++)
        values[r] = data[order[i], column, r]
}
function middle(i, column) { column_of(i, column); return median(values, rounds) }
function json_run(i,    r, text) {
    text = sprintf("{\"workers\": %s, \"threads\": %s, \"wall_s\": %.6f, \"wall_least_s\": %.6f, \"wall_most_s\": %.6f, \"fps\": %.3f, \"speed_up\": %.6f, ",
                   json_number(workers[i] ? workers[i] : "", "%d"), json_number(threads[i] ? threads[i] : "", "%d"), wall[i], low[i], high[i], fps[i], speed[i])
    text = text sprintf("\"efficiency\": %s, \"serial_fraction\": %s, \"cpu_s\": %.6f, \"peak_memory_bytes\": %.0f, ",
                        json_number(efficiency[i], "%.6f"), json_number(serial[i], "%.6f"), cpu[i], memory[i])
    if (workers[i])
        text = text sprintf("\"first_task_s\": %.6f, \"coordinator_cpu_s\": %.6f, \"loop_max_ms\": %.6f, ", middle(i, 8), middle(i, 10), middle(i, 11))
    text = text "\"rounds_wall_s\": ["
    for (r = 1; r <= rounds; r++)
        text = text (r > 1 ? ", " : "") sprintf("%.6f", data[order[i], 4, r])
    return text "]}"
}
END {
    for (i = 1; i <= settings; i++) {
        column_of(i, 4)
        wall[i] = median(values, rounds); low[i] = least(values, rounds); high[i] = most(values, rounds)
        cpu[i] = middle(i, 5); memory[i] = middle(i, 6); fps[i] = middle(i, 7) / wall[i]
        speed[i] = wall[1] / wall[i]
        efficiency[i] = p[i] ? speed[i] / p[i] : ""
        serial[i] = karp_flatt(speed[i], p[i])
        if (wall[i] > 0 && (high[i] - low[i]) / wall[i] > spread)
            spread = (high[i] - low[i]) / wall[i]
        if (p[i])
            n = i # ffmpeg is the last, if at all
    }
    # Amdahl, as far as there are cores, and with no more threads than the first setting: another number of threads is another program.
    for (i = 1; i <= n; i++) {
        if (p[i] <= cores && threads[i] == 1) {
            fitted++
            fit_speed[fitted] = speed[i]; fit_p[fitted] = p[i]
        }
    }
    share = amdahl_fit(fit_speed, fit_p, fitted)
    use = setting_to_use(wall, p, n, spread)
    full = full_setting(wall, p, n, cores)
    f["p"] = p[full] < cores ? p[full] : cores; f["cores"] = cores; f["wall 1"] = wall[1]; f["wall"] = wall[full]; f["cpu 1"] = cpu[1]; f["cpu"] = cpu[full]
    f["first task"] = middle(full, 8); f["decode"] = middle(full, 9); f["coordinator"] = middle(full, 10)
    f["busy"] = threads[full] == 1 && ENVIRON["limit"] !~ /in order/ ? middle(full, 12) : 0
    f["serial reason"] = ENVIRON["serial_reason"]; f["limit"] = ENVIRON["limit"]
    sentence = limit_of(f)
    advice = sprintf("Use --workers=%d%s: %.2f s", workers[use], (threads[use] > 1 ? " --threads=" threads[use] : ""), wall[use])
    if (use != 1)
        advice = advice sprintf(", %.2f times as fast as one worker", speed[use])
    if (settings > n)
        advice = advice sprintf("; ffmpeg alone takes %.2f s", wall[settings])
    advice = advice "."

    printf "%s\n%s, %d core%s; %s; %s\n", ENVIRON["name"], ENVIRON["described"], cores, (cores > 1 ? "s" : ""), ENVIRON["version"], ENVIRON["ffmpeg_version"]
    if (ENVIRON["options"] != "")
        printf "%s\n", ENVIRON["options"]
    printf "\n%7s %7s %9s %15s %8s %9s %11s %8s %9s %10s\n", "workers", "threads", "wall s", "range", "fps", "speed-up", "efficiency", "serial", "CPU s", "memory MB"
    csv = scratch "/csv"
    print "program,workers,threads,wall_s,wall_least_s,wall_most_s,fps,speed_up,efficiency,serial_fraction,cpu_s,peak_memory_bytes" >csv
    for (i = 1; i <= settings; i++) {
        range = sprintf("%.2f to %.2f", low[i], high[i])
        printf "%7s %7s %9.2f %15s %8.1f %9.2f %11s %8s %9.2f %10.0f\n", p[i] ? workers[i] : "ffmpeg", p[i] ? threads[i] : "", wall[i], range, fps[i], speed[i],
               p[i] ? sprintf("%.2f", efficiency[i]) : "", serial[i] == "" ? "" : sprintf("%.3f", serial[i]), cpu[i], memory[i] / 1e6
        printf "%s,%s,%s,%.6f,%.6f,%.6f,%.3f,%.6f,%s,%s,%.6f,%.0f\n", program[i], p[i] ? workers[i] : "", p[i] ? threads[i] : "", wall[i], low[i], high[i],
               fps[i], speed[i], efficiency[i] == "" ? "" : sprintf("%.6f", efficiency[i]), serial[i] == "" ? "" : sprintf("%.6f", serial[i]), cpu[i],
               memory[i] >csv
    }
    print ""
    if (share != "")
        printf "Amdahl fit:  %.1f %% of the work is serial%s\n", 100 * share, (share > 0 ? sprintf(", so never more than %.1f times as fast", 1 / share) : "")
    printf "Limit:       %s\nAdvice:      %s\n", sentence, advice
    if (spread > 0.15)
        printf "note: rounds of the same setting differ by up to %.0f %%; the machine has other things to do, or more --rounds are needed\n", 100 * spread >"/dev/stderr"

    json = scratch "/json"
    printf "{\n  \"input\": %s,\n  \"options\": %s,\n  \"machine\": %s,\n  \"cores\": %d,\n", json_text(ENVIRON["input"]), json_text(ENVIRON["options"]),
           json_text(ENVIRON["described"]), cores >json
    printf "  \"renderfarm\": %s,\n  \"ffmpeg\": %s,\n  \"rounds\": %d,\n  \"frames\": %d,\n  \"runs\": [\n", json_text(ENVIRON["version"]),
           json_text(ENVIRON["ffmpeg_version"]), rounds, middle(1, 7) >json
    for (i = 1; i <= n; i++)
        printf "    %s%s\n", json_run(i), (i < n ? "," : "") >json
    printf "  ],\n  \"ffmpeg_run\": %s,\n", (settings > n ? json_run(settings) : "null") >json
    printf "  \"amdahl_serial_fraction\": %s,\n  \"explained_limit\": %s,\n  \"limit\": %s,\n  \"advice\": %s,\n  \"use\": {\"workers\": %d, \"threads\": %d}\n}\n",
           json_number(share, "%.6f"), json_text(ENVIRON["limit"]), json_text(sentence), json_text(advice), workers[use], threads[use] >json

    # For the plots: a block for each thread count (p, speed-up, its least and most, efficiency), then ffmpeg alone, then the heat map.
    points = scratch "/points"
    for (i = 1; i <= n; i++) {
        if (!((threads[i]) in block)) {
            block[threads[i]] = ++blocks; block_threads[blocks] = threads[i]
        }
    }
    for (b = 1; b <= blocks; b++) {
        printf "%s\"%s\"\n", (b > 1 ? "\n\n" : ""), (blocks == 1 ? "measured" : block_threads[b] " thread" (block_threads[b] > 1 ? "s" : "") " a worker") >points
        for (i = 1; i <= n; i++)
            if (threads[i] == block_threads[b])
                print p[i], speed[i], wall[1] / high[i], wall[1] / low[i], 100 * efficiency[i] >points
    }
    for (i = 1; i <= n; i++)
        print workers[i], threads[i], wall[i], speed[i], (i == use) >(scratch "/heat")
    if (settings > n)
        print cores, speed[settings] >(scratch "/ffmpeg-point")
    printf "serial = %s\nblocks = %d\nlargest = %d\nrightmost = %d\n", (share == "" ? -1 : share), blocks, most(p, n),
           (settings > n && cores > most(p, n) ? cores : most(p, n)) >(scratch "/facts")
}
