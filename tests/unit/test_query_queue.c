#include "query_queue.h"

#include "unit.h"

static void queries_come_back_in_the_order_they_were_sent(void **state)
{
    static const enum query order[] = {QUERY_TOUCH, QUERY_BATCH, QUERY_CHECK, QUERY_READ};
    struct query_queue queue = {.count = 0};

    (void)state;
    for (int turn = 0; turn < 3; turn++) {
        assert_true(query_queue_is_empty(&queue));
        for (int i = 0; i < QUERY_QUEUE_MAX; i++) {
            assert_false(query_queue_has(&queue, order[i]));
            query_queue_push(&queue, order[i], 100 + i);
            assert_true(query_queue_has(&queue, order[i]));
        }
        for (int i = 0; i < QUERY_QUEUE_MAX; i++) {
            assert_int_equal(query_queue_oldest_ms(&queue), 100 + i);
            assert_int_equal(query_queue_pop(&queue), order[i]);
            assert_false(query_queue_has(&queue, order[i]));
        }
    }
}

static void a_cleared_queue_is_empty(void **state)
{
    struct query_queue queue = {.count = 0};

    (void)state;
    query_queue_push(&queue, QUERY_BATCH, 1);
    query_queue_clear(&queue);
    assert_true(query_queue_is_empty(&queue));
    assert_false(query_queue_has(&queue, QUERY_BATCH));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_come_back_in_the_order_they_were_sent),
        cmocka_unit_test(a_cleared_queue_is_empty),
    };
    return cmocka_run_group_tests_name("query_queue", tests, NULL, NULL);
}
