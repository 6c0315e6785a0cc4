# The plots of scripts/speedup: gnuplot -c speedup.gnuplot curve|heat png|svg SCRATCH OUTPUT CORES TITLE SUBTITLE, with what speedup.awk wrote into SCRATCH.
scratch = ARG3; cores = ARG5 + 0
load scratch . "/facts"

ink = "#333333"; quiet = "#999999"; fit = "#d95f02"
array colour[6] = ["#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#17becf", "#bcbd22"]
if (ARG2 eq "png") {
    set terminal pngcairo size 1000, (ARG1 eq "heat" ? 560 : 900) font "Sans,12" background "white"
} else {
    set terminal svg size 1000, (ARG1 eq "heat" ? 560 : 900) font "sans-serif,15" background "white"
}
set output ARG4
set encoding utf8
set tics textcolor rgb ink nomirror out
set border 3 linecolor rgb ink
set grid linecolor rgb "#e4e4e4" linetype 1

if (ARG1 eq "heat") {
    stats scratch . "/heat" using 3 nooutput name "wall"
    set title ARG6 . ": seconds for each setting\n" . ARG7 noenhanced textcolor rgb ink
    set xlabel "workers" textcolor rgb ink
    set ylabel "threads a worker" textcolor rgb ink
    set cblabel "wall time (s)" textcolor rgb ink
    unset grid
    unset key
    set border 0
    set tics scale 0
    set palette defined (0 "#e8f3e8", 0.5 "#8cc4a4", 1 "#23667a")
    if (wall_max == wall_min) { set cbrange [wall_min * 0.9:wall_max * 1.1] } else { set cbrange [wall_min:wall_max] }
    # Settings are not evenly spaced (1, 2, 4, 8): cells stand in the order of the lists.
    workers = ""; threads = ""
    stats scratch . "/heat" using (workers = strstrt(" " . workers, " " . sprintf("%d ", $1)) ? workers : workers . sprintf("%d ", $1), threads = strstrt(" " . threads, " " . sprintf("%d ", $2)) ? threads : threads . sprintf("%d ", $2), $3) nooutput
    place(list, value) = (found = 0, sum [k = 1:words(list)] (int(word(list, k)) == value ? k : 0))
    set xtics scale 0 ()
    set ytics scale 0 ()
    set for [k = 1:words(workers)] xtics add (word(workers, k) k)
    set for [k = 1:words(threads)] ytics add (word(threads, k) k)
    set xrange [0.5:words(workers) + 0.5]
    set yrange [0.5:words(threads) + 0.5]
    dark(s) = s > wall_min + 0.6 * (wall_max - wall_min)
    plot scratch . "/heat" using (place(workers, $1)):(place(threads, $2)):(0.49):(0.48):3 with boxxyerror fillstyle solid 1 noborder linecolor palette, \
        scratch . "/heat" using (place(workers, $1)):(place(threads, $2)):(sprintf("%.2f s\n%.2fx%s", $3, $4, $5 == 1 ? "\nuse this" : "")):(dark($3) ? 0xffffff : 0x222222) with labels font words(workers) > 8 ? ",9" : ",12" textcolor rgb variable
    exit
}

set multiplot
set samples 400
set lmargin at screen 0.085
set rmargin at screen 0.97
set xrange [0.5:rightmost + 0.5]
every_nth = rightmost <= 20 ? 1 : ceil(rightmost / 16.0)
set xtics 0, every_nth
beyond = largest > cores
if (beyond) { set arrow 1 from cores, graph 0 to cores, graph 1 nohead linecolor rgb quiet dashtype 3 linewidth 1.5 }
share(x) = 1 / (serial + (1 - serial) / x)
has_ffmpeg = system(sprintf("test -s '%s/ffmpeg-point' && echo 1 || echo 0", scratch)) + 0
has_fit = serial >= 0
points_size = rightmost <= 16 ? 1.1 : 0.7

set tmargin at screen 0.9
set bmargin at screen 0.4
set title ARG6 . ": speed-up\n" . ARG7 noenhanced textcolor rgb ink
set ylabel "speed-up (times one worker)" textcolor rgb ink offset 0.5
set yrange [0:*]
set format x ""
if (beyond) { set key bottom right } else { set key top left }
set key reverse Left noenhanced textcolor rgb ink samplen 2.5 spacing 1.2
if (beyond) { set label 1 sprintf("%d core%s", cores, cores == 1 ? "" : "s") at cores, graph 0.04 offset 0.6, 0 textcolor rgb quiet }
plot [x = 0.5:rightmost + 0.5] \
    (x >= 1 && x <= cores ? x : 1 / 0) with lines linecolor rgb quiet dashtype 2 linewidth 1.5 title "ideal", \
    has_fit && x >= 1 && x <= cores ? share(x) : 1 / 0 with lines linecolor rgb fit linewidth 1.5 title has_fit ? sprintf("Amdahl, %.1f %% serial", 100 * serial) : "", \
    for [b = (blocks == 1 && has_fit ? 2 : 1):blocks] scratch . "/points" index b - 1 using 1:2 with lines linecolor rgb colour[(b - 1) % 6 + 1] linewidth 1 notitle, \
    for [b = 1:blocks] scratch . "/points" index b - 1 using 1:2:3:4 with yerrorbars linecolor rgb colour[(b - 1) % 6 + 1] linewidth 1.8 pointtype 7 pointsize points_size title columnheader(1), \
    has_ffmpeg ? scratch . "/ffmpeg-point" : "/dev/null" using 1:2 with points pointtype 9 pointsize 2 linecolor rgb "#c0392b" title has_ffmpeg ? "ffmpeg alone" : ""

set tmargin at screen 0.35
set bmargin at screen 0.08
unset title
unset label 1
unset key
set xlabel "workers".(blocks > 1 ? " x threads" : "") textcolor rgb ink
set ylabel "efficiency (%)" textcolor rgb ink offset 0.5
set format x "%g"
set yrange [0:*<115]
plot [x = 0.5:rightmost + 0.5] 100 with lines linecolor rgb quiet dashtype 2 linewidth 1.5, \
    for [b = 1:blocks] scratch . "/points" index b - 1 using 1:5 with linespoints linecolor rgb colour[(b - 1) % 6 + 1] linewidth 1.8 pointtype 7 pointsize points_size
unset multiplot
set samples 400
