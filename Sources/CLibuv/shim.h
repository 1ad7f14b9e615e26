#ifndef COAGENT_CLIBUV_SHIM_H
#define COAGENT_CLIBUV_SHIM_H
#include <uv.h>
#endif
