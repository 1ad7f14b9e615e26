#include "header_parser.h"
