/* Any tracestate: one that is passed on has a few members only, each of which would be by itself,
 * has no character that is more than text, and stays what it is with space and empty members added.
 */
#include "trace.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 5000

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void check_member(const char *member)
{
    const char *text = member + strspn(member, " \t");
    size_t length = strcspn(text, "=");

    expect(trace_state_is_valid(member));
    expect(length > 0 && length <= 256 && text[length] == '=' && text[0] != '@');
    for (size_t i = 0; i < length; i++)
        expect(text[i] > ' ' && (text[i] < 'A' || text[i] > 'Z'));
    expect(strchr(text + length + 1, '=') == NULL);
}

static void check_members(char *state)
{
    int count = 0;

    for (char *member; (member = strsep(&state, ",")) != NULL;) {
        if (member[strspn(member, " \t")] == '\0')
            continue;
        check_member(member);
        count++;
    }
    expect(count >= 1 && count <= 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char state[TEXT_SIZE], more[TEXT_SIZE + 16];

    if (size >= sizeof state)
        return 0;
    memcpy(state, data, size);
    state[size] = '\0';
    bool valid = trace_state_is_valid(state);
    snprintf(more, sizeof more, "\t, %s ,,", state);
    expect(trace_state_is_valid(more) == valid);
    if (!valid)
        return 0;
    for (const char *c = state; *c != '\0'; c++)
        expect((*c >= ' ' || *c == '\t') && *c <= '~');
    check_members(state);
    return 0;
}
