/* Proves that the header compiles alone. */
#include "millstream.h"
