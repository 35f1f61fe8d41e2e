#include "pingpong_settings.h"

#include "connection.h"
#include "host_list.h"
#include "log.h"
#include "password.h"
#include "regular_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ROW(member) offsetof(struct pingpong_settings, member)

static const char *const ssl_modes[] = {"disable", "allow",     "prefer",
                                        "require", "verify-ca", "verify-full"};

const struct setting pingpong_settings_table[] = {
    HTTP_SETTINGS_ROWS(struct pingpong_settings, "3001"),
    {.name = "DB_HOST",
     .type = SETTING_HOSTS,
     .offset = ROW(database.hosts),
     .default_value = "localhost",
     .help = "PostgreSQL's host name or address, or the directory of its Unix socket; of "
             "several, and of all addresses of a name, the one that takes writes is used."},
    {.name = "DB_PORT",
     .type = SETTING_PORTS,
     .offset = ROW(database.ports),
     .default_value = "5432",
     .help = "PostgreSQL's port."},
    {.name = "DB_USER",
     .type = SETTING_STRING,
     .offset = ROW(database.user),
     .default_value = "postgres",
     .help = "Role to connect as."},
    {.name = "DB_PASSWORD",
     .type = SETTING_STRING,
     .offset = ROW(database.password),
     .help = "The role's password."},
    {.name = "DB_PASSWORD_FILE",
     .type = SETTING_STRING,
     .offset = ROW(database.password_file),
     .help = "File with the password in its first line, instead of DB_PASSWORD; read anew for "
             "each connection."},
    {.name = "DB_NAME",
     .type = SETTING_STRING,
     .offset = ROW(database.name),
     .default_value = "postgres",
     .help = "Database to use."},
    {.name = "DB_SSLMODE",
     .type = SETTING_CHOICE,
     .offset = ROW(ssl_mode),
     .default_value = "prefer",
     .choices = "disable allow prefer require verify-ca verify-full",
     .help = "Use of TLS, in libpq's words."},
    {.name = "DB_SSLROOTCERT",
     .type = SETTING_STRING,
     .offset = ROW(database.ssl_root),
     .help = "File with the certificates that may have signed PostgreSQL's, read anew for each "
             "connection, or system (with libpq 16) for those that the machine trusts; wants "
             "DB_SSLMODE verify-full or, only with a file, verify-ca or require."},
    {.name = "DB_CONNECT_TIMEOUT_MS",
     .type = SETTING_INTEGER,
     .offset = ROW(database.connect_timeout_ms),
     .default_value = "1500",
     .minimum = 100,
     .maximum = 60000,
     .help = "Time for one attempt to connect to one address, until statements can be sent."},
    {.name = "DB_TIMEOUT_MS",
     .type = SETTING_INTEGER,
     .offset = ROW(database.query_timeout_ms),
     .default_value = "1500",
     .minimum = 100,
     .maximum = 60000,
     .help = "Time for an answer, after which the connection is given up."},
    {.name = "PING_TIMEOUT_MS",
     .type = SETTING_INTEGER,
     .offset = ROW(batcher.timeout_ms),
     .default_value = "2000",
     .minimum = 10,
     .maximum = 60000,
     .help = "Time a ping waits for the database before it is answered with 503."},
    {.name = "PING_QUEUE_MAX",
     .type = SETTING_INTEGER,
     .offset = ROW(batcher.queue_max),
     .default_value = "4096",
     .minimum = 1,
     .maximum = 1000000,
     .help = "Pings that may wait at a time; one more is answered with 503 at once."},
    FAULT_SETTINGS_ROWS(struct pingpong_settings),
};
const size_t pingpong_settings_count =
    sizeof pingpong_settings_table / sizeof pingpong_settings_table[0];

static int refuse(const char *setting, const char *value, const char *accepted, const char *error)
{
    log_error("setting not accepted",
              LOG_FIELDS(log_string("setting", setting), log_string("value", value),
                         log_string("accepted", accepted), log_string("error", error)));
    return -1;
}

/* The server then refuses the password, and says no more. */
static void warn_of_line_break(const struct database_options *database, enum password_end end)
{
    if (end == PASSWORD_ENDS_PLAINLY)
        return;
    if (database->password_file == NULL)
        log_warning("DB_PASSWORD ends in a line break, which is taken as a part of it", NULL);
    else if (end == PASSWORD_ENDS_IN_LINES)
        log_warning("DB_PASSWORD_FILE has more than one line: the first, without its line break, "
                    "is the password",
                    NULL);
    else
        log_info("DB_PASSWORD_FILE ends in a line break, which is not taken as a part of the "
                 "password",
                 NULL);
}

/* A wrong path or an unreadable file is a mistake to be told at the start, not at every attempt
 * to connect. */
static int check_password(const struct database_options *database)
{
    char password[PASSWORD_SIZE];
    enum password_end end;

    if (database->password != NULL && database->password_file != NULL) {
        log_error("settings exclude each other",
                  LOG_FIELDS(log_string("setting", "DB_PASSWORD_FILE"),
                             log_string("accepted", "either DB_PASSWORD or DB_PASSWORD_FILE")));
        return -1;
    }
    int result = password_read(database->password, database->password_file, password, &end);
    explicit_bzero(password, sizeof password);
    if (result == 0) {
        warn_of_line_break(database, end);
        return 0;
    }
    if (database->password_file != NULL)
        return refuse("DB_PASSWORD_FILE", database->password_file,
                      "a readable regular file of up to 1023 bytes", strerror(errno));
    log_error("setting not accepted", LOG_FIELDS(log_string("setting", "DB_PASSWORD"),
                                                 log_string("accepted", "up to 1023 bytes")));
    return -1;
}

static int check_root_file(const char *path)
{
    int fd = regular_file_open(path);
    if (fd < 0)
        return refuse("DB_SSLROOTCERT", path, "a readable regular file, or system",
                      strerror(errno));
    close(fd);
    return 0;
}

/* In the other modes nothing would be compared, or only where nobody is in between. */
static int check_roots(const struct database_options *database)
{
    const char *root = database->ssl_root, *mode = database->ssl_mode;

    if (root == NULL)
        return 0;
    if (strcmp(root, CONNECTION_SYSTEM_ROOTS) == 0 && !connection_knows_system_roots())
        return refuse("DB_SSLROOTCERT", root, "a file", "system needs libpq 16 or newer");
    if (strcmp(root, CONNECTION_SYSTEM_ROOTS) == 0) {
        if (strcmp(mode, "verify-full") == 0)
            return 0;
        return refuse("DB_SSLMODE", mode, "verify-full, with system as DB_SSLROOTCERT",
                      "otherwise anybody's certificate would do");
    }
    if (strcmp(mode, "verify-full") != 0 && strcmp(mode, "verify-ca") != 0 &&
        strcmp(mode, "require") != 0)
        return refuse("DB_SSLMODE", mode, "verify-full, verify-ca or require, with DB_SSLROOTCERT",
                      "otherwise the certificate would not be relied on");
    return check_root_file(root);
}

static int check_ports(const struct database_options *database)
{
    struct host_list list;

    int result = host_list_parse(&list, database->hosts, database->ports);
    if (result != 0)
        log_error("setting not accepted",
                  LOG_FIELDS(log_string("setting", "DB_PORT"), log_string("value", database->ports),
                             log_string("accepted", "one port, or one for each of DB_HOST"),
                             log_string("error", strerror(errno))));
    host_list_free(&list);
    return result;
}

int pingpong_settings_load(struct pingpong_settings *settings)
{
    if (settings_load(pingpong_settings_table, pingpong_settings_count, settings) != 0)
        return -1;
    settings->database.ssl_mode = ssl_modes[settings->ssl_mode];
    if (check_ports(&settings->database) != 0 || check_roots(&settings->database) != 0 ||
        check_password(&settings->database) != 0)
        return -1;
    return fault_settings_check(&settings->faults, pingpong_settings_table,
                                pingpong_settings_count);
}
