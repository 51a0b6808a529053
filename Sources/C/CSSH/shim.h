// libssh 0.10, server side. Callback structs are not copied by libssh: heap-allocate them and keep them as long
// as the session; `ssh_callbacks_init` is a macro, so `.size` is set by hand.
#ifndef PAAS_CSSH_H
#define PAAS_CSSH_H
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <libssh/callbacks.h>

// We pull messages (`ssh_message_get`) instead of being called back, so that a reply can wait for the request that
// follows. libssh marks the accessors that this needs as deprecated in favour of callbacks; they are kept.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static inline ssh_key paas_ssh_offered_key(ssh_message message) { return ssh_message_auth_pubkey(message); }
static inline enum ssh_publickey_state_e paas_ssh_signature(ssh_message message) {
  return ssh_message_auth_publickey_state(message);
}
static inline int paas_ssh_columns(ssh_message message) { return ssh_message_channel_request_pty_width(message); }
static inline int paas_ssh_rows(ssh_message message) { return ssh_message_channel_request_pty_height(message); }
static inline const char *paas_ssh_terminal(ssh_message message) {
  return ssh_message_channel_request_pty_term(message);
}
#pragma GCC diagnostic pop
#endif
