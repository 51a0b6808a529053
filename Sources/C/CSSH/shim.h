// libssh 0.10, server side. Callback structs are not copied by libssh: heap-allocate them and keep them as long
// as the session; `ssh_callbacks_init` is a macro, so `.size` is set by hand.
#ifndef PAAS_CSSH_H
#define PAAS_CSSH_H
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <libssh/callbacks.h>
#endif
