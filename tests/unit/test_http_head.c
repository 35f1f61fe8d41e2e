#include "http/head.h"

#include "unit.h"

/* Fields as they would be sent, each with its end of line. */
static struct http_fault judge(struct http_head *head, const char *version, const char *fields)
{
    http_head_begin(head, version);
    while (*fields != '\0') {
        size_t line = strcspn(fields, "\n"), name = strcspn(fields, ":\n");
        const char *value = name == line ? NULL : fields + name + 1;
        size_t blanks = value == NULL ? 0 : strspn(value, " \t");
        http_head_add(head, fields, name, value == NULL ? NULL : value + blanks,
                      value == NULL ? 0 : line - name - 1 - blanks);
        fields += line + 1;
    }
    return http_head_end(head);
}

static void judges_fields(void **state)
{
    static const struct {
        unsigned status;
        const char *version, *fields;
    } cases[] = {
        {0, "HTTP/1.1", "Host: a\n"},
        {0, "HTTP/1.1", "hOST:a.example:3001\nAccept: */*\n"},
        {0, "HTTP/1.1", "Host: [2001:db8::1]:80\n"},
        {0, "HTTP/1.1", "Host: a%20b\n"},
        {400, "HTTP/1.1", ""},
        {400, "HTTP/1.1", "Hosts: a\n"},
        {400, "HTTP/1.1", "Host:\n"},
        {400, "HTTP/1.1", "Host: \t \n"},
        {400, "HTTP/1.1", "Host\n"},
        {400, "HTTP/1.1", "Host: a\nHost: a\n"},
        {400, "HTTP/1.1", "Host: a\nHOST: b\n"},
        {400, "HTTP/1.1", "Host: a b\n"},
        {400, "HTTP/1.1", "Host: a,b\n"},
        {400, "HTTP/1.1", "Host: a/b\n"},
        {400, "HTTP/1.1", "Host: a@b\n"},
        {400, "HTTP/1.1", "Host: a?b\n"},
        {400, "HTTP/1.1", "Host: a\\b\n"},
        {400, "HTTP/1.1", "Host: \"a\"\n"},
        {400, "HTTP/1.1", "Host: \xc3\xa4\n"},
        {0, "HTTP/1.0", ""},
        {0, "HTTP/1.0", "Host: a\n"},
        {400, "HTTP/1.0", "Host: a\nHost: a\n"},
        {400, "HTTP/1.0", "Host:\n"},
        {0, "HTTP/1.1", "Host: a\nContent-Length: 0\n"},
        {0, "HTTP/1.1", "Host: a\nContent-Length: 10  \n"},
        {0, "HTTP/1.1", "Host: a\nContent-Length: 007\n"},
        {0, "HTTP/1.1", "Host: a\nContent-Length: 999999999999999999\n"},
        {400, "HTTP/1.1", "Host: a\nContent-Length: 1000000000000000000\n"},
        {400, "HTTP/1.1", "Host: a\nContent-Length:\n"},
        {400, "HTTP/1.1", "Host: a\nContent-Length: +1\n"},
        {400, "HTTP/1.1", "Host: a\nContent-Length: -1\n"},
        {400, "HTTP/1.1", "Host: a\nContent-Length: 1 1\n"},
        {400, "HTTP/1.1", "Host: a\nContent-Length: 1,1\n"},
        {400, "HTTP/1.1", "Host: a\nContent-Length: 0x1\n"},
        {400, "HTTP/1.1", "Host: a\nContent-Length: 1\ncontent-length: 1\n"},
        {0, "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\n"},
        {0, "HTTP/1.1", "Host: a\nTransfer-Encoding: CHUNKED \t\n"},
        {400, "HTTP/1.1", "Host: a\nTransfer-Encoding:\n"},
        {501, "HTTP/1.1", "Host: a\nTransfer-Encoding: chunkedx\n"},
        {501, "HTTP/1.1", "Host: a\nTransfer-Encoding: xchunke\n"},
        {501, "HTTP/1.1", "Host: a\nTransfer-Encoding: gzip\n"},
        {501, "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked, chunked\n"},
        {501, "HTTP/1.1", "Host: a\nTransfer-Encoding: gzip , chunked\n"},
        {501, "HTTP/1.1", "Host: a\nTransfer-Encoding: gzip\nTransfer-Encoding: chunked\n"},
        {501, "HTTP/1.1", "Host: a\nTransfer-Encoding: , chunked\n"},
        {400, "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked, gzip\n"},
        {400, "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\n"},
        {400, "HTTP/1.1", "Host: a\nTransfer-Encoding: gzip\nContent-Length: 1\n"},
        {501, "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n"},
        {400, "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\nContent-Length: 1\n"},
        {400, "HTTP/1.1", "Content-Length: 1\nTransfer-Encoding: chunked\nHost: a\n"},
        {400, "HTTP/1.0", "Transfer-Encoding: chunked\n"},
        {400, "HTTP/1.1", "Host: a\nTransfer-Encoding : chunked\n"},
        {400, "HTTP/1.1", "Host: a\n: b\n"},
        {400, "HTTP/1.1", "Host: a\nX A: b\n"},
        {400, "HTTP/1.1", "Host: a\nX(A: b\n"},
        {400, "HTTP/1.1", "Host: a\nX\xe4: b\n"},
        {0, "HTTP/1.1", "Host: a\nX-A: \xe4\t\"b\"\n"},
        {400, "HTTP/1.1", "Host: a\nX-A: a\rb\n"},
        {400, "HTTP/1.1", "Host: a\nX-A: a\x01\n"},
        {400, "HTTP/1.1", "Host: a\nX-A: a\x7f\n"},
        /* The first fault is the one that is told. */
        {400, "HTTP/1.1", "Host: a b\nTransfer-Encoding: gzip\n"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct http_head head;
        struct http_fault fault = judge(&head, cases[i].version, cases[i].fields);
        if (fault.status != cases[i].status || (fault.message == NULL) != (fault.status == 0))
            FAIL_CASE("%s %s: %u", cases[i].version, cases[i].fields, fault.status);
    }
}

static void refuses_every_control_character_in_a_value(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        char value[] = {'a', (char)code, 'b'};
        struct http_head head;
        http_head_begin(&head, "HTTP/1.0");
        http_head_add(&head, "X", 1, value, sizeof value);
        bool allowed = code == '\t' || (code >= ' ' && code != 0x7f);
        if ((http_head_end(&head).status == 0) != allowed)
            FAIL_CASE("%#x", code);
    }
}

static void reads_what_is_announced(void **state)
{
    struct http_head head;

    (void)state;
    assert_int_equal(judge(&head, "HTTP/1.1", "Host: a\nContent-Length: 1048577\n").status, 0);
    assert_int_equal(head.announced_bytes, 1048577);
    assert_int_equal(head.codings, 0);
    assert_int_equal(judge(&head, "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\n").status, 0);
    assert_int_equal(head.announced_bytes, 0);
    assert_int_equal(head.codings, 1);
}

static void counts_what_the_library_keeps(void **state)
{
    static const struct {
        size_t bytes;
        const char *fields;
    } cases[] = {
        {HTTP_HEAD_RECORD_BYTES, "Host: a\n"},
        {2 * HTTP_HEAD_RECORD_BYTES, "Host: a\nX-A: some value\n"},
        {3 * HTTP_HEAD_RECORD_BYTES + sizeof "a=b", "Host: a\nCookie: a=b\n"},
        {5 * HTTP_HEAD_RECORD_BYTES + sizeof "a=b; c=d;e", "Host: a\ncookie: a=b; c=d;e\n"},
        {3 * HTTP_HEAD_RECORD_BYTES + 1, "Host: a\nCookie:\n"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct http_head head;
        if (judge(&head, "HTTP/1.1", cases[i].fields).status != 0 ||
            head.memory_bytes != cases[i].bytes)
            FAIL_CASE("%s: %zu", cases[i].fields, head.memory_bytes);
    }
}

static void judges_targets(void **state)
{
    static const struct {
        bool good;
        size_t arguments;
        const char *target;
    } cases[] = {
        {true, 0, "/ping"},
        {true, 1, "/ping?"},
        {true, 3, "/ping?a=b&c&d=%20%41"},
        {true, 0, "http://a.example/ping"},
        {true, 0, "*"},
        {true, 0, "/%0a%01%7f%1"},
        {true, 0, "/a&b%"},
        {true, 1, "/%0?%0"},
        {false, 0, ""},
        {false, 0, "ping"},
        {false, 0, "a.example:443"},
        {false, 0, "ftp://a.example/"},
        {false, 0, "/ping%00"},
        {false, 1, "/ping?a=%2500%00b"},
        {false, 0, "/ping#a"},
        {false, 0, "/pi ng"},
        {false, 0, "/pi\tng"},
        {false, 0, "/ping\x7f"},
        {false, 0, "/ping\xc3\xa4"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const char *target = cases[i].target;
        struct http_fault fault = http_head_judge_target(target, strlen(target));
        if (fault.status != (cases[i].good ? 0u : 400u) ||
            http_head_argument_bytes(target) != cases[i].arguments * HTTP_HEAD_RECORD_BYTES)
            FAIL_CASE("%s: %u", target, fault.status);
    }
}

static void judges_the_method_with_the_target(void **state)
{
    static const struct {
        unsigned status;
        const char *method, *target;
    } cases[] = {
        {0, "GET", "/ping"},     {0, "OPTIONS", "*"}, {0, "BREW", "/"},   {0, "connect", "/"},
        {501, "CONNECT", "a:1"}, {400, "GET", "*"},   {400, "POST", "*"}, {501, "CONNECT", "*"},
        {501, "CONNECT", "/"},   {0, "GET", "/*"},    {0, "GET", "**"},   {400, "G@T", "/"},
        {400, "", "/"},
    };

    (void)state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct http_fault fault = http_head_judge_method(cases[i].method, cases[i].target);
        if (fault.status != cases[i].status)
            FAIL_CASE("%s %s: %u", cases[i].method, cases[i].target, fault.status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_fields),
        cmocka_unit_test(refuses_every_control_character_in_a_value),
        cmocka_unit_test(reads_what_is_announced),
        cmocka_unit_test(counts_what_the_library_keeps),
        cmocka_unit_test(judges_targets),
        cmocka_unit_test(judges_the_method_with_the_target),
    };
    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
