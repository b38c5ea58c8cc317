#include "windows_service.h"

enum exit_code windows_service_act(int argc, char *const *argv) {
    (void)argc;
    complain(argv[0], "that is for Windows; here batond is a unit of systemd, batond.service");
    return EXIT_USAGE;
}
