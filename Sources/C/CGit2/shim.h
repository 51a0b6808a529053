// libgit2 1.5: refs, objects, odb and config. Variadic calls need a plain wrapper to be visible in Swift.
#ifndef PAAS_CGIT2_H
#define PAAS_CGIT2_H
#include <git2.h>
#include <git2/sys/repository.h>
#include <git2/sys/odb_backend.h>
#include <git2/sys/mempack.h>

/// `git_libgit2_opts` for options that take one integer.
static inline int paas_git2_option_int(int option, int value) { return git_libgit2_opts(option, value); }
/// `git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path)`.
static inline int paas_git2_search_path(int level, const char *path) {
  return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}
#endif
