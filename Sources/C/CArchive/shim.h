#ifndef PAAS_CARCHIVE_H
#define PAAS_CARCHIVE_H
#include <archive.h>
#include <archive_entry.h>
#endif
