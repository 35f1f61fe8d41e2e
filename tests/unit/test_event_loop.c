#include "event_loop.h"

#include "clock.h"
#include "unit.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

struct fixture {
    struct event_loop *loop;
    int first[2], second[2]; /* pipes */
    int calls, other_calls;
    int64_t started_ms;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL || event_loop_create(&f->loop) != 0 || pipe(f->first) != 0 ||
        pipe(f->second) != 0)
        return -1;
    f->started_ms = clock_monotonic_ms();
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    event_loop_destroy(f->loop);
    for (int i = 0; i < 2; i++) {
        close(f->first[i]);
        close(f->second[i]);
    }
    free(f);
    return 0;
}

/* Every test ends within this, also when what it waits for does not come. */
static int64_t give_up(void *context, int64_t now_ms)
{
    struct fixture *f = context;
    if (now_ms >= f->started_ms + 5000)
        event_loop_stop(f->loop);
    return f->started_ms + 5000;
}

static void run(struct fixture *f)
{
    event_loop_add_step(f->loop, give_up, f);
    assert_int_equal(event_loop_run(f->loop), 0);
    assert_true(clock_monotonic_ms() < f->started_ms + 4000);
}

static void read_and_stop(void *context, uint32_t events)
{
    struct fixture *f = context;
    char byte;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(f->first[0], &byte, 1), 1);
    f->calls++;
    event_loop_stop(f->loop);
}

static void a_readable_descriptor_is_called_back(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(event_loop_watch(f->loop, f->first[0], EPOLLIN, read_and_stop, f), 0);
    assert_int_equal(write(f->first[1], "x", 1), 1);
    run(f);
    assert_int_equal(f->calls, 1);
}

/* Whichever of two ready descriptors comes first forgets the other, which must not be called. */
static void forget_both(void *context, uint32_t events)
{
    struct fixture *f = context;
    (void)events;
    f->calls++;
    event_loop_forget(f->loop, f->first[0]);
    event_loop_forget(f->loop, f->second[0]);
    event_loop_stop(f->loop);
}

static void a_forgotten_descriptor_is_not_called_in_the_same_pass(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(event_loop_watch(f->loop, f->first[0], EPOLLIN, forget_both, f), 0);
    assert_int_equal(event_loop_watch(f->loop, f->second[0], EPOLLIN, forget_both, f), 0);
    assert_int_equal(write(f->first[1], "x", 1), 1);
    assert_int_equal(write(f->second[1], "x", 1), 1);
    run(f);
    assert_int_equal(f->calls, 1);
}

static void count_other(void *context, uint32_t events)
{
    struct fixture *f = context;
    (void)events;
    f->other_calls++;
    event_loop_stop(f->loop);
}

/* A descriptor that is closed and opened again under the same number in one pass must not get the
 * event that was meant for the old one. */
static void replace_the_other(void *context, uint32_t events)
{
    struct fixture *f = context;
    int fresh[2];

    (void)events;
    f->calls++;
    int other = f->second[0];
    event_loop_forget(f->loop, f->first[0]);
    event_loop_forget(f->loop, other);
    assert_int_equal(pipe(fresh), 0); /* nothing to read */
    assert_int_equal(dup2(fresh[0], other), other);
    close(fresh[0]);
    close(f->second[1]);
    f->second[1] = fresh[1];
    assert_int_equal(event_loop_watch(f->loop, other, EPOLLIN, count_other, f), 0);
}

static int64_t stop_after_100_ms(void *context, int64_t now_ms)
{
    struct fixture *f = context;
    if (now_ms >= f->started_ms + 100)
        event_loop_stop(f->loop);
    return f->started_ms + 100;
}

static void an_old_event_does_not_reach_a_new_watch(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(event_loop_watch(f->loop, f->first[0], EPOLLIN, replace_the_other, f), 0);
    assert_int_equal(event_loop_watch(f->loop, f->second[0], EPOLLIN, count_other, f), 0);
    /* Events are reported in the order in which they came. */
    assert_int_equal(write(f->first[1], "x", 1), 1);
    assert_int_equal(write(f->second[1], "x", 1), 1);
    event_loop_add_step(f->loop, stop_after_100_ms, f);
    run(f);
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->other_calls, 0);
}

static void watching_again_changes_the_callback(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(event_loop_watch(f->loop, f->first[0], EPOLLIN, count_other, f), 0);
    assert_int_equal(event_loop_watch(f->loop, f->first[0], EPOLLIN, read_and_stop, f), 0);
    assert_int_equal(write(f->first[1], "x", 1), 1);
    run(f);
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->other_calls, 0);
}

static void forgetting_what_is_not_watched_is_harmless(void **state)
{
    struct fixture *f = *state;
    event_loop_forget(f->loop, -1);
    event_loop_forget(f->loop, f->first[0]);
    event_loop_forget(f->loop, 100000);
    event_loop_destroy(NULL);
}

static void watching_a_bad_descriptor_fails(void **state)
{
    struct fixture *f = *state;
    int closed = dup(f->first[0]);
    close(closed);
    assert_int_equal(event_loop_watch(f->loop, closed, EPOLLIN, count_other, f), -1);
}

static int64_t count_to_three(void *context, int64_t now_ms)
{
    struct fixture *f = context;
    if (++f->calls == 3)
        event_loop_stop(f->loop);
    return now_ms + 20;
}

static void steps_run_when_they_are_due(void **state)
{
    struct fixture *f = *state;
    event_loop_add_step(f->loop, count_to_three, f);
    run(f);
    assert_int_equal(f->calls, 3);
    assert_true(clock_monotonic_ms() - f->started_ms >= 38);
}

static void on_signal(void *context)
{
    struct fixture *f = context;
    f->calls++;
    event_loop_stop(f->loop);
}

static void signals_come_as_calls(void **state)
{
    struct fixture *f = *state;
    sigset_t before;

    sigprocmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(event_loop_catch_signals(f->loop, on_signal, f), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    run(f);
    assert_int_equal(f->calls, 1);

    close(f->first[0]); /* SIGPIPE is ignored: writing just fails */
    assert_int_equal(write(f->first[1], "x", 1), -1);
    f->first[0] = dup(f->first[1]);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_readable_descriptor_is_called_back),
        TEST(a_forgotten_descriptor_is_not_called_in_the_same_pass),
        TEST(an_old_event_does_not_reach_a_new_watch),
        TEST(watching_again_changes_the_callback),
        TEST(forgetting_what_is_not_watched_is_harmless),
        TEST(watching_a_bad_descriptor_fails),
        TEST(steps_run_when_they_are_due),
        TEST(signals_come_as_calls),
    };
    return cmocka_run_group_tests_name("event_loop", tests, NULL, NULL);
}
