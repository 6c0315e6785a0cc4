// Rules in the table, separated by blanks, read from left to right:
//   [COND]RESULT  the first whose COND holds and whose RESULT begins with a class decides: frame counted window(B,A) counted(B,A) stateful multi;
//                 more properties may follow, joined with '+'
//   PROPERTY      rate:R ctr:X period:P pts:X meta:CLASS needs:meta thr rand edges graph commands writes endless ends env:X src
//   COND          clauses joined with &&: opt=v|v  opt!=v|v  opt>n  opt<n  opt~flag  set:opt  side:TYPE  identifiers|identifiers@opt,opt
//                 titles (subtitles overlap)
//                 blocks:STEP,REACH (formulas: blocks begin every STEP pixels, and REACH pixels further the last one is beyond the picture's edge)
#include "classes.h"

#include <libavutil/common.h>
#include <libavutil/eval.h>
#include <libavutil/pixdesc.h>

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct class_row {
    const char *name;
    enum class_kind kind;
    const char *before, *after; // frames, as formulas of the options
    const char *rules;
};

// What drawtext knows of a text when it has drawn it: of the one before until then.
#define DRAWTEXT_MEASURED                                                                                                                            \
    "x|y|text_w|tw|text_h|th|line_h|lh|max_glyph_w|max_glyph_h|max_glyph_a|ascent|max_glyph_d|descent|font_a|font_d|top_a|bottom_d"

static const struct class_row table[] = {
#include "classes_table.h"
};

// Filters with several inputs or outputs, in graphs that have one beginning. Those that join wait for a frame of the same time from each input; where
// all of these come from the same split, and nothing on the way changes times or numbers, that is the same frame.
static const struct class_row joining[] = {
    {"alphamerge", CLASS_FRAME, "0", "0", ""},
    {"blend", CLASS_FRAME, "0", "0", "[N@all_expr,c0_expr,c1_expr,c2_expr,c3_expr]counted+ctr:link"},
    {"displace", CLASS_FRAME, "0", "0", ""},
    {"extractplanes", CLASS_FRAME, "0", "0", ""},
    {"hstack", CLASS_FRAME, "0", "0", ""},
    {"hysteresis", CLASS_FRAME, "0", "0", ""},
    {"lut2", CLASS_FRAME, "0", "0", ""},
    {"maskedclamp", CLASS_FRAME, "0", "0", ""},
    {"maskedmax", CLASS_FRAME, "0", "0", ""},
    {"maskedmerge", CLASS_FRAME, "0", "0", ""},
    {"maskedmin", CLASS_FRAME, "0", "0", ""},
    {"maskedthreshold", CLASS_FRAME, "0", "0", "[mode=1|diff]stateful"},
    {"mergeplanes", CLASS_FRAME, "0", "0", ""},
    {"midequalizer", CLASS_FRAME, "0", "0", ""},
    {"overlay", CLASS_FRAME, "0", "0", "[x@x]stateful [y@y]stateful [x@y&&y@x]stateful [n@x,y]counted+ctr:link"},
    {"premultiply", CLASS_FRAME, "0", "0", ""},
    {"split", CLASS_FRAME, "0", "0", ""},
    {"threshold", CLASS_FRAME, "0", "0", ""},
    {"unpremultiply", CLASS_FRAME, "0", "0", ""},
    {"vstack", CLASS_FRAME, "0", "0", ""},
    {"xmedian", CLASS_FRAME, "0", "0", ""},
    {"xstack", CLASS_FRAME, "0", "0", ""},
};

static const char unknown_filter[] = "is not in the table of known filters";
static const char joins_or_splits[] = "does not have exactly one input and one output";
static const char has_state[] = "carries state from frame to frame";
static const char counts_frames[] = "depends on the number of the frame";
static const char looks_around[] = "looks at neighbouring frames";
static const char comes_and_goes[] = "is switched on and off by 'enable' and so does not see every frame";
static const char writes_file[] = "writes a file about all frames";
static const char stacks_titles[] = "leaves each subtitle where it was put when it came, beside others";
static const char draws_lots[] = "draws random numbers from frame to frame";

// A piece of text that is not ended by a zero.
struct piece {
    const char *at;
    size_t length;
};

static bool piece_is(struct piece p, const char *text)
{
    return strlen(text) == p.length && memcmp(p.at, text, p.length) == 0;
}

static bool piece_starts(struct piece p, const char *text)
{
    return p.length >= strlen(text) && memcmp(p.at, text, strlen(text)) == 0;
}

// Cuts off what stands before the separator, which may have several characters. False at the end.
static bool next_piece(struct piece *rest, const char *separator, struct piece *out)
{
    size_t length = strlen(separator);

    if (!rest->at)
        return false;
    for (size_t i = 0; i + length <= rest->length; i++) {
        if (memcmp(rest->at + i, separator, length) == 0) {
            *out = (struct piece){rest->at, i};
            rest->at += i + length;
            rest->length -= i + length;
            return true;
        }
    }
    *out = *rest;
    rest->at = NULL;
    return true;
}

static bool split(struct piece whole, const char *separator, struct piece *left, struct piece *right)
{
    *right = whole;
    return next_piece(right, separator, left) && right->at;
}

static const char *value_of(const Wire__FilterFacts *filter, struct piece option)
{
    for (size_t i = 0; i < filter->n_options; i++)
        if (piece_is(option, filter->options[i]->key))
            return filter->options[i]->value;
    return NULL;
}

static bool is_set(const Wire__FilterFacts *filter, struct piece option)
{
    for (size_t i = 0; i < filter->n_set; i++)
        if (piece_is(option, filter->set[i]))
            return true;
    // Without knowing what was given, a value that says something counts as given.
    if (filter->n_set == 0) {
        const char *value = value_of(filter, option);

        return value && *value;
    }
    return false;
}

static bool is_identifier(int c)
{
    return isalnum(c) || c == '_';
}

// Whether an expression names the variable. "n" is not in "sin", and a name before '(' is a function, unless the name is looked for with it.
static bool names(const char *expression, struct piece variable)
{
    for (const char *at = expression; *at;) {
        const char *end = at;

        while (is_identifier((unsigned char)*end))
            end++;
        if (end == at) {
            at++;
            continue;
        }
        if ((size_t)(end - at) == variable.length && memcmp(at, variable.at, variable.length) == 0)
            return true;
        at = end;
    }
    return false;
}

// Of a text to be drawn only what is behind the first "%{" is computed.
static const char *computed_part(struct piece option, const char *value)
{
    return value && piece_is(option, "text") ? strstr(value, "%{") : value;
}

static bool any_names(const Wire__FilterFacts *filter, struct piece variable, struct piece options)
{
    struct piece option;

    while (next_piece(&options, ",", &option)) {
        const char *value = computed_part(option, value_of(filter, option));

        if (value && names(value, variable))
            return true;
    }
    return false;
}

// var|var@options, var+var for both.
static bool variables_hold(const Wire__FilterFacts *filter, struct piece variables, struct piece options)
{
    struct piece alternative, variable;

    while (next_piece(&variables, "|", &alternative)) {
        bool all = true;

        while (next_piece(&alternative, "+", &variable))
            all = all && any_names(filter, variable, options);
        if (all)
            return true;
    }
    return false;
}

// libavutil writes booleans as words, the rules have numbers.
static bool to_number(const char *text, double *out)
{
    static const char *const words[] = {"auto", "false", "true"}; // -1, 0, 1
    char *end;

    for (int i = 0; i < 3; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i - 1;
            return true;
        }
    }
    *out = strtod(text, &end);
    return end != text && !*end;
}

static bool equals(const char *value, struct piece wanted)
{
    char text[64];
    double a, b;

    if (piece_is(wanted, value))
        return true;
    if (wanted.length >= sizeof(text))
        return false;
    memcpy(text, wanted.at, wanted.length);
    text[wanted.length] = '\0';
    return to_number(value, &a) && to_number(text, &b) && a == b;
}

// "any of these options": their names are alternatives or spellings of one.
static bool any_equals(const Wire__FilterFacts *filter, struct piece options, struct piece values)
{
    struct piece option, value;

    while (next_piece(&options, ",", &option)) {
        const char *now = value_of(filter, option);
        struct piece rest = values;

        while (now && next_piece(&rest, "|", &value))
            if (equals(now, value))
                return true;
    }
    return false;
}

static double number_of(struct piece p)
{
    char text[64];

    if (p.length >= sizeof(text))
        return 0;
    memcpy(text, p.at, p.length);
    text[p.length] = '\0';
    return strtod(text, NULL);
}

static bool compares(const Wire__FilterFacts *filter, struct piece options, struct piece limit, bool greater)
{
    struct piece option;

    while (next_piece(&options, ",", &option)) {
        const char *value = value_of(filter, option);
        double now = 0;

        if (value && !to_number(value, &now) && strchr(value, ':')) { // a duration, "00:00:02.5"
            double parts[3] = {0};
            char *at = (char *)(size_t)(const void *)value;
            int count = 0;

            for (; count < 3; count++) {
                parts[count] = strtod(at, &at);
                if (*at != ':') {
                    count++;
                    break;
                }
                at++;
            }
            now = count == 3 ? parts[0] * 3600 + parts[1] * 60 + parts[2] : parts[0] * 60 + parts[1];
        }
        if (value && (greater ? now > number_of(limit) : now < number_of(limit)))
            return true;
    }
    return false;
}

// Flags are given as names joined with '+', or as a number; then only the noise filter's bits are known by name.
static bool has_flag(const Wire__FilterFacts *filter, struct piece options, struct piece flag)
{
    struct piece option, name;

    while (next_piece(&options, ",", &option)) {
        const char *value = value_of(filter, option);
        struct piece rest = {value, value ? strlen(value) : 0};
        char *end;
        long bits;

        if (!value)
            continue;
        while (next_piece(&rest, "+", &name))
            if (name.length == flag.length && memcmp(name.at, flag.at, flag.length) == 0)
                return true;
        bits = strtol(value, &end, 0);
        if (end != value && !*end && bits != 0 && (!piece_is(flag, "t") || (bits & 2)) && (!piece_is(flag, "a") || (bits & 8)))
            return true;
    }
    return false;
}

enum { MAX_NEIGHBOURS = 256 };

// A formula of the filter's options. What cannot be computed, or is too much, is as good as everything: false.
static bool evaluate(const Wire__FilterFacts *filter, struct piece formula, unsigned *result)
{
    const char **names = calloc(filter->n_options + 1, sizeof(*names));
    double *values = calloc(filter->n_options + 1, sizeof(*values)), value = NAN;
    char text[64];
    size_t count = 0;

    if (names && values && formula.length < sizeof(text)) {
        memcpy(text, formula.at, formula.length);
        text[formula.length] = '\0';
        for (size_t i = 0; i < filter->n_options; i++) {
            if (to_number(filter->options[i]->value, &values[count]))
                names[count++] = filter->options[i]->key;
        }
        names[count] = NULL;
        if (av_expr_parse_and_eval(&value, text, names, values, NULL, NULL, NULL, NULL, NULL, 0, NULL) < 0)
            value = NAN;
    }
    free(names);
    free(values);
    if (!(value >= 0 && value <= (double)MAX_NEIGHBOURS))
        return false;
    *result = (unsigned)ceil(value);
    return true;
}

// Whether blocks at the right edge of a plane reach beyond it. What cannot be computed might.
static bool blocks_reach_out(const Wire__FilterFacts *filter, struct piece formulas)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(filter->input_format ? av_get_pix_fmt(filter->input_format) : AV_PIX_FMT_NONE);
    struct piece step_formula, reach_formula;
    unsigned step, reach, chroma_width;

    if (!split(formulas, ",", &step_formula, &reach_formula) || !evaluate(filter, step_formula, &step) || !evaluate(filter, reach_formula, &reach) ||
        step == 0 || filter->input_width == 0 || !format)
        return true;
    chroma_width = (unsigned)AV_CEIL_RSHIFT((int)filter->input_width, format->log2_chroma_w);
    return (filter->input_width - 1) % step + 1 <= reach || (chroma_width - 1) % step + 1 <= reach;
}

static bool clause_holds(const Wire__FilterFacts *filter, struct piece clause)
{
    struct piece left, right;

    if (piece_starts(clause, "set:"))
        return is_set(filter, (struct piece){clause.at + 4, clause.length - 4});
    if (piece_starts(clause, "blocks:"))
        return blocks_reach_out(filter, (struct piece){clause.at + 7, clause.length - 7});
    if (piece_is(clause, "titles"))
        return filter->titles_overlap;
    if (piece_starts(clause, "side:"))
        return false; // such side data is only made by options that we do not give to decoders
    if (split(clause, "@", &left, &right))
        return variables_hold(filter, left, right);
    if (split(clause, "!=", &left, &right))
        return value_of(filter, left) && !any_equals(filter, left, right);
    if (split(clause, "=", &left, &right))
        return any_equals(filter, left, right);
    if (split(clause, ">", &left, &right))
        return compares(filter, left, right, true);
    if (split(clause, "<", &left, &right))
        return compares(filter, left, right, false);
    if (split(clause, "~", &left, &right))
        return has_flag(filter, left, right);
    return true; // in words (opt:words): not for a machine, so the careful answer
}

static bool condition_holds(const Wire__FilterFacts *filter, struct piece condition)
{
    struct piece clause;

    while (next_piece(&condition, "&&", &clause))
        if (!clause_holds(filter, clause))
            return false;
    return true;
}

// -1: the piece is no class.
static int kind_of(struct piece p)
{
    if (piece_is(p, "frame"))
        return CLASS_FRAME;
    if (piece_starts(p, "counted"))
        return CLASS_COUNTED;
    if (piece_starts(p, "window"))
        return CLASS_WINDOW;
    if (piece_is(p, "stateful"))
        return CLASS_STATEFUL;
    return -1;
}

// "(B,A)" behind the class.
static void take_neighbours(struct class_result *result, const Wire__FilterFacts *filter, struct piece p)
{
    struct piece before, after;

    p = (struct piece){p.at + strlen("window("), p.length - strlen("window()")};
    result->bounded = split(p, ",", &before, &after) && evaluate(filter, before, &result->before) && evaluate(filter, after, &result->after);
}

static void apply_property(struct class_result *result, struct piece p)
{
    if (piece_starts(p, "rate:") || piece_starts(p, "pts:"))
        result->steady = false;
    if (piece_is(p, "forward"))
        result->forward = true;
    else if (piece_is(p, "fewer"))
        result->fewer = true;
    else if (piece_is(p, "needs:meta"))
        result->reads_meta = true;
    else if (piece_starts(p, "meta:"))
        result->meta_later = !piece_is(p, "meta:frame");
    else if (piece_is(p, "edges"))
        result->looks_at = "reads memory beyond the edges of the picture, where all that is done in the process leaves its traces";
    else if (piece_is(p, "graph"))
        result->looks_at = "draws the graph that it is in";
    else if (piece_is(p, "commands"))
        result->commands = true;
    else if (piece_is(p, "overwrites"))
        result->overwrites = true;
    else if (piece_is(p, "writes"))
        result->writes = true;
    else if (piece_is(p, "endless"))
        result->endless = true;
    else if (piece_is(p, "ends"))
        result->ends = true;
    else if (piece_is(p, "rand"))
        result->repeatable = false;
    else if (piece_is(p, "thr") || piece_starts(p, "thr:"))
        result->in_slices = true; // with whatever options: the others lose nothing but time
}

// *link_counter: it counts with its link's counter, which goes on while the filter is switched off.
static void apply_rules(struct class_result *result, bool *link_counter, const Wire__FilterFacts *filter, const char *rules)
{
    struct piece rest = {rules, strlen(rules)}, token;
    bool decided = false, counter_known = false;

    while (next_piece(&rest, " ", &token)) {
        struct piece condition, first;
        int kind;

        if (token.length == 0)
            continue;
        if (token.at[0] == '[') {
            if (!split((struct piece){token.at + 1, token.length - 1}, "]", &condition, &token) || !condition_holds(filter, condition))
                continue;
        }
        while (next_piece(&token, "+", &first)) {
            kind = kind_of(first);
            if (piece_is(first, "multi")) {
                break; // inputs and outputs have been counted
            } else if (piece_starts(first, "ctr:")) {
                // The counter of the rule that held, before the one of the filter as it is by default.
                if (!counter_known)
                    *link_counter = piece_is(first, "ctr:link");
                counter_known = true;
            } else if (kind < 0) {
                apply_property(result, first);
            } else if (!decided) {
                result->kind = (enum class_kind)kind;
                if (kind == CLASS_WINDOW)
                    take_neighbours(result, filter, first);
                decided = true;
            } else {
                break; // an earlier rule has decided, and this one's properties go with its class
            }
        }
    }
}

// What an expression does beside computing with the facts of its frame.
struct habits {
    bool random;    // draws numbers, each from the one before
    bool remembers; // reads a variable that it has not surely set in the same evaluation
    bool clock;     // reads the time of day
};

static bool is_lazy(struct piece function)
{
    static const char *const lazy[] = {"if", "ifnot", "while", "between", "taylor", "root"};

    for (size_t i = 0; i < sizeof(lazy) / sizeof(lazy[0]); i++)
        if (piece_is(function, lazy[i]))
            return true;
    return false;
}

// Reads "name (" and "digit" with the blanks that expressions may have anywhere.
static const char *skip_blanks(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

// The variable named by "0)" or "0,": -1 if it is computed.
static int variable_at(const char *at, char stop)
{
    at = skip_blanks(at);
    return *at >= '0' && *at <= '9' && *skip_blanks(at + 1) == stop ? *at - '0' : -1;
}

// Evaluation goes from left to right, so an st() counts for what is behind its ')', unless it stands in something that may be skipped.
static void look_at_habits(struct habits *habits, const char *expression)
{
    enum { DEEPEST = 64 };
    struct {
        bool lazy;
        int sets; // variable, or -1
    } open[DEEPEST + 1] = {{.sets = -1}};
    bool is_set_now[10] = {false};
    int depth = 0;

    for (const char *at = expression; *at;) {
        struct piece name = {at, 0};

        while (is_identifier((unsigned char)at[name.length]))
            name.length++;
        if (name.length > 0) {
            at = skip_blanks(at + name.length);
            if (*at != '(')
                continue;
            if (piece_is(name, "random") || piece_is(name, "randomi"))
                habits->random = true;
            else if (piece_is(name, "time"))
                habits->clock = true;
            else if (piece_is(name, "ld") && (variable_at(at + 1, ')') < 0 || !is_set_now[variable_at(at + 1, ')')]))
                habits->remembers = true;
        }
        if (*at == '(') {
            if (depth == DEEPEST) { // beyond what anybody writes: the careful answer
                habits->remembers = habits->remembers || strstr(expression, "ld");
                habits->random = habits->random || strstr(expression, "random");
                return;
            }
            open[depth + 1].lazy = open[depth].lazy || is_lazy(name);
            open[depth + 1].sets = piece_is(name, "st") && !open[depth].lazy ? variable_at(at + 1, ',') : -1;
            depth++;
        } else if (*at == ')' && depth > 0) {
            if (open[depth].sets >= 0)
                is_set_now[open[depth].sets] = true;
            depth--;
        }
        if (*at)
            at++;
    }
}

static struct habits habits_of(const Wire__FilterFacts *filter)
{
    struct habits habits = {false};

    for (size_t i = 0; i < filter->n_options; i++) {
        const char *key = filter->options[i]->key, *value = computed_part((struct piece){key, strlen(key)}, filter->options[i]->value);

        if (value)
            look_at_habits(&habits, value);
    }
    return habits;
}

static bool is_constant(const char *expression)
{
    char *end;

    strtod(expression, &end);
    return end != expression && !*end;
}

static const char *reason(enum class_kind kind)
{
    switch (kind) {
    case CLASS_COUNTED:
        return counts_frames;
    case CLASS_WINDOW:
        return looks_around;
    case CLASS_STATEFUL:
        return has_state;
    default:
        return NULL;
    }
}

static const struct class_row *find_row(const struct class_row *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

struct class_result classes_of(const Wire__FilterFacts *filter)
{
    struct class_result result = {.kind = CLASS_STATEFUL, .repeatable = true, .steady = false, .why = unknown_filter};
    const char *enable = value_of(filter, (struct piece){"enable", 6});
    const struct class_row *row = NULL;
    bool link_counter = false;
    struct habits habits;

    if (filter->inputs == 1 && filter->outputs == 1)
        row = find_row(table, sizeof(table) / sizeof(table[0]), filter->name);
    else if (filter->inputs > 0 && filter->outputs > 0)
        row = find_row(joining, sizeof(joining) / sizeof(joining[0]), filter->name);
    if (!row) {
        result.why = filter->inputs == 1 && filter->outputs == 1 ? unknown_filter : joins_or_splits;
        result.in_slices = true;
        return result;
    }
    result.kind = row->kind;
    result.steady = true;
    if (row->kind == CLASS_WINDOW)
        result.bounded = evaluate(filter, (struct piece){row->before, strlen(row->before)}, &result.before) &&
                         evaluate(filter, (struct piece){row->after, strlen(row->after)}, &result.after);
    apply_rules(&result, &link_counter, filter, row->rules);
    result.why = result.writes ? writes_file : filter->titles_overlap ? stacks_titles : reason(result.kind);
    if (enable && *enable && !is_constant(enable)) {
        // A frame that passes by is not seen: that matters to every filter that remembers something of its own.
        if (result.kind != CLASS_FRAME && !(result.kind == CLASS_COUNTED && link_counter)) {
            result.kind = CLASS_STATEFUL;
            result.why = comes_and_goes;
        } else if (names(enable, (struct piece){"n", 1})) {
            result.kind = CLASS_COUNTED;
            result.why = counts_frames;
        }
    }
    habits = habits_of(filter); // of 'enable' too
    if (habits.random || habits.remembers) {
        result.kind = CLASS_STATEFUL;
        result.why = habits.random ? draws_lots : has_state;
        result.in_slices = true; // each has variables of its own
    }
    if (habits.clock)
        result.repeatable = false;
    return result;
}

struct class_result classes_of_vouched(const Wire__FilterFacts *filter)
{
    struct class_result known = classes_of(filter), result = {.kind = CLASS_FRAME, .in_slices = known.in_slices, .repeatable = true};

    if (filter->inputs != 1 || filter->outputs != 1)
        return known;
    // Nothing is known of the times that an unknown filter gives; most keep them.
    result.steady = known.steady || known.why == unknown_filter;
    return result;
}

bool classes_is_called(const Wire__FilterFacts *filter, const char *name)
{
    const char *plugin = value_of(filter, (struct piece){"filter_name", strlen("filter_name")});

    return strcmp(filter->name, name) == 0 || (plugin && strcmp(plugin, name) == 0);
}
