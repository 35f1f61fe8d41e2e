#include "utf8.h"

#include "unit.h"

/* The encoding of a code point, by the definition and not by the code under test. */
static size_t encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00 >> length & 0xF0) | code);
    return length;
}

static void every_code_point_is_one_sequence_and_surrogates_are_none(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char text[4];
        size_t length = encode(code, text);
        size_t expected = code >= 0xD800 && code <= 0xDFFF ? 0 : length;
        if (utf8_sequence_length(text, length) != expected)
            FAIL_CASE("U+%04X", code);
        for (size_t available = 1; available < length; available++)
            assert_int_equal(utf8_sequence_length(text, available), 0);
    }
}

/* Every start of three bytes: one that is accepted is the encoding of a code point. */
static void nothing_else_is_a_sequence(void **state)
{
    (void)state;
    for (uint32_t bytes = 0; bytes < 1 << 24; bytes += 1 + (bytes & 0x7) * 3) {
        char text[4] = {(char)(bytes >> 16), (char)(bytes >> 8), (char)bytes, (char)0x80}, again[4];
        size_t length = utf8_sequence_length(text, sizeof text);
        if (length == 0 || length > sizeof text)
            continue;
        uint32_t code = (unsigned char)text[0] & (length == 1 ? 0x7FU : 0xFFU >> (length + 1));
        for (size_t i = 1; i < length; i++)
            code = code << 6 | ((unsigned char)text[i] & 0x3F);
        assert_true(code <= 0x10FFFF);
        assert_int_equal(encode(code, again), length);
        assert_memory_equal(text, again, length);
    }
}

static bool is_control(uint32_t code)
{
    static const uint32_t ranges[][2] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0x061C, 0x061C},
                                         {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}};
    for (size_t i = 0; i < LENGTH(ranges); i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

static void controls_are_these_and_no_others(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char text[4];
        size_t length = encode(code, text);
        if (utf8_is_control(text, length) != is_control(code))
            FAIL_CASE("U+%04X", code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_is_one_sequence_and_surrogates_are_none),
        cmocka_unit_test(nothing_else_is_a_sequence),
        cmocka_unit_test(controls_are_these_and_no_others),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
