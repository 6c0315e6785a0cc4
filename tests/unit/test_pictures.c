#include "coordinator/pictures.h"

#include "common/mem.h"

#include <libavutil/error.h>

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_pictures.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    char *command = mem_format("rm -rf %s", folder);
    int status = system(command);

    (void)state;
    free(command);
    return status;
}

static const char *in_folder(const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

// A grey picture of one value, so wide; the value tells pictures apart.
static void put(const char *name, unsigned width, uint8_t value)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = width, .height = 1, .format = PNG_FORMAT_GRAY};
    uint8_t row[64];

    memset(row, value, sizeof(row));
    assert_true(png_image_write_to_file(&image, in_folder(name), 0, row, 0, NULL));
}

static uint8_t value_of(const AVPacket *packet)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    uint8_t row[64];

    assert_true(png_image_begin_read_from_memory(&image, packet->data, (size_t)packet->size));
    image.format = PNG_FORMAT_GRAY;
    assert_true(png_image_finish_read(&image, NULL, row, 0, NULL));
    return row[0];
}

// The values in the order in which they come, such as "1 2 3", and the error behind them.
static const char *read_all(const char *name, int64_t start, enum pictures_missing missing)
{
    const struct pictures_setup how = {.start_number = start, .missing = missing};
    static char text[400];
    struct pictures *pictures = NULL;
    char *why = NULL;
    int err = pictures_open(&pictures, *name ? in_folder(name) : folder, &how, &why);
    int64_t came = 0;

    strcpy(text, "");
    while (err >= 0) {
        AVPacket *packet;

        err = pictures_next(pictures, &packet, &why);
        if (err >= 0)
            sprintf(text + strlen(text), "%s%u", came++ ? " " : "", value_of(packet));
        av_packet_free(&packet);
    }
    if (err == AVERROR_EOF && pictures_mended(pictures) == 0)
        assert_int_equal(pictures_count(pictures), came);
    if (err != AVERROR_EOF) {
        const char *said = strstr(why, folder) ? strstr(why, folder) + strlen(folder) + 1 : why;

        snprintf(text + strlen(text), 300, "%s%.250s", came ? "; " : "", said);
    }
    free(why);
    pictures_close(&pictures);
    return text;
}

static void inputs_are_known_by_their_names(void **state)
{
    (void)state;
    put("a[1].png", 1, 1);
    assert_true(pictures_is_input(in_folder("%06d.png")));
    assert_true(pictures_is_input(in_folder("a*.png")));
    assert_true(pictures_is_input(folder));
    assert_false(pictures_is_input(in_folder("a[1].png"))); // a file's name
    assert_false(pictures_is_input(in_folder("a.png")));
    assert_false(pictures_is_input(in_folder("%06d.mp4")));
    assert_false(pictures_is_input(in_folder("*.mp4")));
}

static void pictures_come_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    put("a8.png", 1, 8);
    put("a9.png", 1, 9);
    put("a10.png", 1, 10);
    put("a11.png", 1, 11);
    assert_string_equal(read_all("a%d.png", -1, PICTURES_STOP), "8 9 10 11");
    assert_string_equal(read_all("a*.png", -1, PICTURES_STOP), "8 9 10 11");
    assert_string_equal(read_all("", -1, PICTURES_STOP), "8 9 10 11");
    assert_string_equal(read_all("a%d.png", 10, PICTURES_STOP), "10 11");
    assert_string_equal(read_all("a*.png", 10, PICTURES_STOP), "10 11");
    assert_string_equal(read_all("a%d.png", 12, PICTURES_STOP), "a%d.png: there is no picture from number 12 on");
    assert_string_equal(read_all("b%d.png", -1, PICTURES_STOP), "b%d.png: there are no such pictures (.png)");
    put("else.PNG", 1, 1); // without a number: then it is the order of names, and nothing can be missing
    unlink(in_folder("a9.png"));
    assert_string_equal(read_all("", -1, PICTURES_STOP), "8 10 11 1");
}

static void what_is_missing_is_told_or_mended(void **state)
{
    (void)state;
    put("1.png", 1, 1);
    put("2.png", 1, 2);
    put("5.png", 1, 5);
    assert_string_equal(read_all("%d.png", -1, PICTURES_STOP),
                        "1 2; 3.png is missing, and others behind it; --missing=hold repeats the one before it, --missing=skip leaves it out");
    assert_string_equal(
        read_all("*.png", -1, PICTURES_STOP),
        "1 2; : picture number 3 is missing, and others behind it; --missing=hold repeats the one before it, --missing=skip leaves it out");
    assert_string_equal(read_all("%d.png", -1, PICTURES_HOLD), "1 2 2 2 5");
    assert_string_equal(read_all("%d.png", -1, PICTURES_SKIP), "1 2 5");
    assert_string_equal(read_all("%d.png", 0, PICTURES_STOP),
                        "0.png is missing; --missing=hold repeats the one before it, --missing=skip leaves it out");
    assert_string_equal(read_all("%d.png", 0, PICTURES_HOLD), "1 2 2 2 5"); // there is nothing to repeat
}

static void what_is_of_no_use_is_told_or_mended(void **state)
{
    struct stat about;
    FILE *file;

    (void)state;
    put("1.png", 2, 1);
    put("2.png", 3, 2);
    put("3.png", 2, 3);
    assert_string_equal(read_all("%d.png", -1, PICTURES_STOP),
                        "1; 2.png is of another kind than the first (3 x 1, 8 bit grey instead of 2 x 1, 8 bit grey); --missing=hold repeats the one "
                        "before it, --missing=skip leaves it out");
    assert_string_equal(read_all("%d.png", -1, PICTURES_HOLD), "1 1 3");
    assert_string_equal(read_all("%d.png", -1, PICTURES_SKIP), "1 3");
    put("2.png", 2, 2);
    assert_int_equal(stat(in_folder("2.png"), &about), 0);
    assert_int_equal(truncate(in_folder("2.png"), about.st_size - 13), 0);
    assert_string_equal(read_all("%d.png", -1, PICTURES_STOP),
                        "1; 2.png: it is cut off; --missing=hold repeats the one before it, --missing=skip leaves it out");
    file = fopen(in_folder("2.png"), "w");
    fclose(file);
    assert_string_equal(read_all("%d.png", -1, PICTURES_HOLD), "1 1 3");
    assert_string_equal(read_all("%d.png", -1, PICTURES_STOP),
                        "1; 2.png: it is empty; --missing=hold repeats the one before it, --missing=skip leaves it out");
    unlink(in_folder("2.png"));
    assert_int_equal(mkdir(in_folder("2.png"), 0700), 0);
    assert_string_equal(read_all("%d.png", -1, PICTURES_SKIP), "1 3");
}

static void a_first_one_of_no_use_is_left_out(void **state)
{
    FILE *file;

    (void)state;
    put("1.png", 2, 1);
    put("2.png", 3, 2);
    put("3.png", 3, 3);
    file = fopen(in_folder("1.png"), "w");
    fclose(file);
    assert_string_equal(read_all("%d.png", -1, PICTURES_STOP),
                        "1.png: it is empty; --missing=hold repeats the one before it, --missing=skip leaves it out");
    assert_string_equal(read_all("%d.png", -1, PICTURES_SKIP), "2 3");
    assert_string_equal(read_all("%d.png", -1, PICTURES_HOLD), "2 3");
    for (int i = 2; i <= 3; i++) {
        file = fopen(in_folder(i == 2 ? "2.png" : "3.png"), "w");
        fclose(file);
    }
    assert_non_null(strstr(read_all("%d.png", -1, PICTURES_SKIP), "none of them is a picture that can be read; "));
}

// The names of the files that packets are made of, such as "1 2".
static const char *files_of(const char *name, enum pictures_missing missing)
{
    const struct pictures_setup how = {.start_number = -1, .missing = missing};
    static char text[400];
    struct pictures *pictures;
    char *why = NULL, *path;
    AVPacket *packet;

    assert_int_equal(pictures_open(&pictures, in_folder(name), &how, &why), 0);
    while (pictures_next(pictures, &packet, &why) >= 0)
        av_packet_free(&packet);
    strcpy(text, "");
    for (int64_t i = 0; (path = pictures_path(pictures, i)); i++) {
        sprintf(text + strlen(text), "%s%.*s", i ? " " : "", (int)strcspn(strrchr(path, '/') + 1, "."), strrchr(path, '/') + 1);
        free(path);
    }
    assert_null(pictures_path(pictures, -1));
    free(why);
    pictures_close(&pictures);
    return text;
}

static void packets_know_their_files(void **state)
{
    FILE *file;

    (void)state;
    for (int i = 1; i <= 9; i++)
        put((char[]){(char)('0' + i), '.', 'p', 'n', 'g', 0}, 1, (uint8_t)i);
    assert_string_equal(files_of("%d.png", PICTURES_STOP), "1 2 3 4 5 6 7 8 9");
    unlink(in_folder("3.png"));
    unlink(in_folder("4.png"));
    file = fopen(in_folder("6.png"), "w");
    fclose(file);
    assert_string_equal(files_of("%d.png", PICTURES_SKIP), "1 2 5 7 8 9");
    assert_string_equal(files_of("%d.png", PICTURES_HOLD), "1 2 2 2 5 5 7 8 9");
    file = fopen(in_folder("1.png"), "w");
    fclose(file);
    assert_string_equal(files_of("%d.png", PICTURES_SKIP), "2 5 7 8 9");
    assert_string_equal(files_of("*.png", PICTURES_HOLD), "2 2 2 5 5 7 8 9");
}

static void structure_is_looked_at(void **state)
{
    uint8_t data[400];
    size_t size;
    FILE *file;

    (void)state;
    put("1.png", 9, 77);
    file = fopen(in_folder("1.png"), "r");
    size = fread(data, 1, sizeof(data), file);
    fclose(file);
    assert_null(pictures_look(data, size));
    data[size] = 0;
    assert_null(pictures_look(data, size + 1)); // something behind the end is of no interest
    for (size_t i = 0; i < size; i++) {
        assert_non_null(pictures_look(data, i));
        data[i] ^= 4;
        if (!pictures_look(data, size))
            fail_msg("byte %zu may be anything", i);
        data[i] ^= 4;
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(inputs_are_known_by_their_names),
        TEST(pictures_come_in_the_order_of_their_numbers),
        TEST(what_is_missing_is_told_or_mended),
        TEST(what_is_of_no_use_is_told_or_mended),
        TEST(a_first_one_of_no_use_is_left_out),
        TEST(packets_know_their_files),
        TEST(structure_is_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
