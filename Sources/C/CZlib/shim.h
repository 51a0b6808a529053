// zlib's streaming inflate: finds where an object of a pack ends while its bytes still arrive.
#ifndef PAAS_CZLIB_H
#define PAAS_CZLIB_H
#include <zlib.h>

/// `inflateInit` is a macro.
static inline int paas_inflate_init(z_stream *stream) { return inflateInit(stream); }
#endif
