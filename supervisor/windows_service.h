/* `batond service ...`: batond as a service of Windows. */
#ifndef BATON_WINDOWS_SERVICE_H
#define BATON_WINDOWS_SERVICE_H

#include "program.h"

/* What the words from `service` on ask for; says what came of it. By getopt_long(3), so by one
 * thread at a time. Blocks until it is done; as the service itself, until that has stopped. */
enum exit_code windows_service_act(int argc, char *const *argv);

#endif
