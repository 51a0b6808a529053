#ifndef PAAS_CDEFLATE_H
#define PAAS_CDEFLATE_H
#include <libdeflate.h>
#endif
