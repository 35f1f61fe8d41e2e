#include "http/accept.h"

#include "unit.h"

static const char *const types[] = {"text/plain", "application/json", "text/html"};

enum { PLAIN, JSON, HTML };

static void chooses_what_is_preferred(void **state)
{
    static const struct {
        const char *accept;
        size_t expected;
    } cases[] = {
        {NULL, PLAIN},
        {"", PLAIN},
        {"*/*", PLAIN},
        {"image/png", PLAIN},
        {"text/html", HTML},
        {"TEXT/Html", HTML},
        {"application/json", JSON},
        {"application/json; charset=utf-8", JSON},
        {"text/*", PLAIN},
        {"application/*", JSON},
        {"text/html, application/json", JSON},
        {"text/html;q=0.9, application/json;q=0.8", HTML},
        {"text/html ; q=0.8 ,application/json; Q=0.81", JSON},
        {"text/html;q=0.001, */*;q=0", HTML},
        {"text/html;level=1;q=0.3, application/json;q=0.2", HTML},
        {"text/html;x=\"a,b;q=0\";q=0.3, application/json;q=0.2", HTML},
        {"text/html;x=\"a\\\"b, application/json\";q=1", HTML},
        /* The more specific range decides, whatever the order. */
        {"*/*;q=1, text/plain;q=0.5, application/json;q=0.4", HTML},
        {"text/plain;q=0, text/*", HTML},
        {"text/*;q=0.2, text/html;q=0.1, */*;q=0.15", PLAIN},
        {"text/html;q=0", PLAIN},
        {"text/html;q=0.0, application/json;q=0.000", PLAIN},
        {"text/html;q=1.000, text/plain;q=0.999", HTML},
        /* Browsers: Chromium and Firefox on navigation. */
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
         "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
         HTML},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML},
        {"application/json, text/plain, */*", PLAIN}, /* axios: it takes either */
        /* What is malformed does no harm. */
        {",, ;, text/html", HTML},
        {"text/html;", HTML},
        {"text/html;q=", HTML},
        {"text/html;q=0.", PLAIN},
        {"text/html;q=0.5555, application/json;q=0.555", JSON},
        {"text/html x/y", HTML},
        {"*", PLAIN},
        {"/", PLAIN},
        {"text/html;x=\"", HTML},
        {"text/html;x=\"\\", HTML},
        {"text", PLAIN},
        {"text/htm", PLAIN},
        {"text/html5", PLAIN},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        size_t chosen = http_accept_choose(cases[i].accept, types, LENGTH(types));
        if (chosen != cases[i].expected)
            fail_msg("%s: %s", cases[i].accept, types[chosen]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_what_is_preferred),
    };
    return cmocka_run_group_tests_name("http_accept", tests, NULL, NULL);
}
