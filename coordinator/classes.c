// Rules in the table, separated by blanks, read from left to right:
//   [COND]RESULT  the first whose COND holds and whose RESULT begins with a class decides: frame counted window(B,A) counted(B,A) stateful multi;
//                 more properties may follow, joined with '+'
//   PROPERTY      rate:R ctr:X period:P pts:X meta:CLASS needs:meta thr rand env:X src
//   COND          clauses joined with &&: opt=v|v  opt!=v|v  opt>n  opt<n  opt~flag  set:opt  side:TYPE  identifiers|identifiers@opt,opt
#include "classes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct class_row {
    const char *name;
    enum class_kind kind;
    const char *before, *after; // frames; for the plans with warm-up to come
    const char *rules;
};

static const struct class_row table[] = {
#include "classes_table.h"
};

static const char unknown_filter[] = "is not in the table of known filters";
static const char has_state[] = "carries state from frame to frame";
static const char counts_frames[] = "depends on the number of the frame";
static const char looks_around[] = "looks at neighbouring frames";
static const char comes_and_goes[] = "is switched on and off by 'enable' and so does not see every frame";
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

static bool any_names(const Wire__FilterFacts *filter, struct piece variable, struct piece options)
{
    struct piece option;

    while (next_piece(&options, ",", &option)) {
        const char *value = value_of(filter, option);

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

static bool equals(const char *value, struct piece wanted)
{
    char *end, *wanted_end;
    char text[64];
    double a, b;

    if (piece_is(wanted, value))
        return true;
    if (wanted.length >= sizeof(text))
        return false;
    memcpy(text, wanted.at, wanted.length);
    text[wanted.length] = '\0';
    a = strtod(value, &end);
    b = strtod(text, &wanted_end);
    return end != value && !*end && wanted_end != text && !*wanted_end && a == b;
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
        double now = value ? strtod(value, NULL) : 0;

        if (value && strchr(value, ':')) { // a duration, "00:00:02.5"
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

static bool clause_holds(const Wire__FilterFacts *filter, struct piece clause)
{
    struct piece left, right;

    if (piece_starts(clause, "set:"))
        return is_set(filter, (struct piece){clause.at + 4, clause.length - 4});
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
    if (piece_is(p, "stateful") || piece_is(p, "multi"))
        return CLASS_STATEFUL;
    return -1;
}

static void apply_property(struct class_result *result, struct piece p)
{
    if (piece_is(p, "needs:meta"))
        result->reads_meta = true;
    else if (piece_starts(p, "meta:"))
        result->meta_later = !piece_is(p, "meta:frame");
    else if (piece_is(p, "rand"))
        result->repeatable = false;
}

static void apply_rules(struct class_result *result, const Wire__FilterFacts *filter, const char *rules)
{
    struct piece rest = {rules, strlen(rules)}, token;
    bool decided = false;

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
            if (kind < 0) {
                apply_property(result, first);
            } else if (!decided) {
                result->kind = (enum class_kind)kind;
                decided = true;
            } else {
                break; // an earlier rule has decided, and this one's properties go with its class
            }
        }
    }
}

// Whether an option of the filter looks like an expression that keeps something between frames.
static bool draws_random(const Wire__FilterFacts *filter)
{
    for (size_t i = 0; i < filter->n_options; i++) {
        const char *value = filter->options[i]->value;

        if (value && (strstr(value, "random(") || strstr(value, "randomi(")))
            return true;
        // ld() reads what an earlier frame may have left, unless st() comes first.
        if (value && strstr(value, "ld(") && (!strstr(value, "st(") || strstr(value, "ld(") < strstr(value, "st(")))
            return true;
    }
    return false;
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

struct class_result classes_of(const Wire__FilterFacts *filter)
{
    struct class_result result = {.kind = CLASS_STATEFUL, .repeatable = true, .why = unknown_filter};
    const char *enable;

    if (filter->inputs != 1 || filter->outputs != 1)
        return result;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, filter->name) != 0)
            continue;
        result.kind = table[i].kind;
        apply_rules(&result, filter, table[i].rules);
        result.why = reason(result.kind);
        break;
    }
    if (result.why == unknown_filter)
        return result;
    if (draws_random(filter)) {
        result.kind = CLASS_STATEFUL;
        result.why = draws_lots;
    }
    enable = value_of(filter, (struct piece){"enable", 6});
    if (enable && *enable && !is_constant(enable)) {
        // A frame that passes by is not seen: that matters to every filter that remembers something.
        if (result.kind != CLASS_FRAME) {
            result.kind = CLASS_STATEFUL;
            result.why = comes_and_goes;
        } else if (names(enable, (struct piece){"n", 1})) {
            result.kind = CLASS_COUNTED;
            result.why = counts_frames;
        }
        if (strstr(enable, "random") || strstr(enable, "ld(")) {
            result.kind = CLASS_STATEFUL;
            result.why = draws_lots;
        }
    }
    return result;
}
